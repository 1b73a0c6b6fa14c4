# Least seconds of lme4 for the fits of speed.py. `Rscript lme4_times.R folder repeats` times the
# formulas in tasks.json by REML and ML; `--fit groups size` times one simulated data set,
# `--boot folder draws` a bootstrap of the random-slope model.
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
