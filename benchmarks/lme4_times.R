# Least seconds of lme4 for the fits of speed.py. `Rscript lme4_times.R folder repeats` times the
# formulas in tasks.json by REML and ML; `--fit groups size` times one simulated data set,
# `--boot folder draws` a bootstrap of the random-slope model, `--power folder draws` its simulated
# studies: fits alone (`refit`), and with lmerTest's t tests, each for a thousand.
suppressMessages({library(lme4); library(jsonlite)})
arguments <- commandArgs(TRUE)
seconds <- function(fit, repeats) {
  min(replicate(repeats, {
    begin <- Sys.time()
    suppressWarnings(suppressMessages(fit()))
    as.numeric(Sys.time() - begin, units = "secs")
  }))
}
if (arguments[1] == "--fit") {
  groups <- as.integer(arguments[2])
  set.seed(1)
  g <- rep(seq_len(groups), each = as.integer(arguments[3]))
  x <- rnorm(length(g))
  u <- matrix(rnorm(2 * groups), groups) %*% diag(c(1, 0.4))
  data <- data.frame(g, x, y = 1 + 0.5 * x + u[g, 1] + u[g, 2] * x + rnorm(length(g)))
  rm(g, x, u)
  cat(seconds(function() lmer(y ~ x + (x | g), data), 1), "\n")
} else if (arguments[1] == "--boot") {
  fit <- lmer(mathach ~ ses_cwc + (ses_cwc | schid), read.csv(file.path(arguments[2], "data.csv")))
  cat(seconds(function() bootMer(fit, fixef, nsim = as.integer(arguments[3])), 1), "\n")
} else if (arguments[1] == "--power") {
  draws <- as.integer(arguments[3])
  fit <- lmer(mathach ~ ses_cwc + (ses_cwc | schid), read.csv(file.path(arguments[2], "data.csv")))
  studies <- function(test) for (y in simulate(fit, draws, seed = 1)) test(refit(fit, y))
  times <- list("lme4 refit" = seconds(function() studies(identity), 1))
  if (requireNamespace("lmerTest", quietly = TRUE)) {
    t_tests <- function(fit) coef(summary(lmerTest::as_lmerModLmerTest(fit)))
    times[["lme4 refit, lmerTest t tests"]] <- seconds(function() studies(t_tests), 1)
  }
  cat(toJSON(lapply(times, function(time) 1000 * time / draws), digits = NA, auto_unbox = TRUE))
} else {
  data <- read.csv(file.path(arguments[1], "data.csv"))
  times <- lapply(fromJSON(file.path(arguments[1], "tasks.json")), function(text) {
    formula <- as.formula(text)
    lapply(c(TRUE, FALSE), function(reml) {
      fit <- function() lmer(formula, data, REML = reml)
      suppressWarnings(suppressMessages(fit()))
      seconds(fit, as.integer(arguments[2]))
    })
  })
  write_json(unlist(times), file.path(arguments[1], "times.json"), digits = NA)
}
