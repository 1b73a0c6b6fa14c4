# Two-level models of public data sets by lme4, driven to a tight optimum.
#
#   Rscript tests/reference/real.R
#
# Writes real.json and the data, real/<name>.csv, next to this script. README.md says what they hold
# and whose the data are.

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
})
data(list = c("sleepstudy", "Dyestuff", "Dyestuff2", "Pastes", "Penicillin"), package = "lme4")
data(list = c("Alfalfa", "BodyWeight", "ergoStool", "Machines", "Oats", "Orthodont", "Oxide", "Pixel", "Rail"),
     package = "nlme")

script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
here <- if (length(script)) dirname(script) else file.path("tests", "reference")
array_of <- function(x) I(unname(as.vector(x)))
rows <- function(x) unname(as.matrix(x))

# name = list(data, formula, and the same for Python: fixed effects, random effects, groups)
ChickWeight$Diet <- factor(paste0("d", ChickWeight$Diet))
BodyWeight$Diet <- factor(paste0("d", BodyWeight$Diet))
# Levels in alphabetical order, as Python has them.
Orthodont$Sex <- factor(as.character(Orthodont$Sex))
for (name in c("Type", "Treatment")) CO2[[name]] <- factor(as.character(CO2[[name]]))
for (name in c("N", "P", "K")) npk[[name]] <- as.numeric(as.character(npk[[name]]))
models <- list(
  sleepstudy = list(sleepstudy, Reaction ~ Days + (Days | Subject), "Reaction ~ Days", "~ Days", "Subject"),
  Dyestuff = list(Dyestuff, Yield ~ 1 + (1 | Batch), "Yield ~ 1", "~ 1", "Batch"),
  Dyestuff2 = list(Dyestuff2, Yield ~ 1 + (1 | Batch), "Yield ~ 1", "~ 1", "Batch"),
  Pastes = list(Pastes, strength ~ 1 + (1 | sample), "strength ~ 1", "~ 1", "sample"),
  Penicillin = list(Penicillin, diameter ~ sample + (1 | plate), "diameter ~ sample", "~ 1", "plate"),
  Alfalfa = list(Alfalfa, Yield ~ Variety * Date + (1 | Block), "Yield ~ Variety * Date", "~ 1", "Block"),
  BodyWeight = list(BodyWeight, weight ~ Time * Diet + (Time | Rat), "weight ~ Time * Diet", "~ Time", "Rat"),
  ergoStool = list(ergoStool, effort ~ Type + (1 | Subject), "effort ~ Type", "~ 1", "Subject"),
  Machines = list(Machines, score ~ Machine + (Machine | Worker), "score ~ Machine", "~ Machine", "Worker"),
  Oats = list(Oats, yield ~ nitro * Variety + (1 | Block), "Q('yield') ~ nitro * Variety", "~ 1", "Block"),
  Orthodont = list(Orthodont, distance ~ age * Sex + (age | Subject), "distance ~ age * Sex", "~ age", "Subject"),
  Orthodont_age = list(Orthodont, distance ~ age + (age | Subject), "distance ~ age", "~ age", "Subject"),
  Oxide = list(Oxide, Thickness ~ Source + (1 | Wafer:Lot), "Thickness ~ C(Source)", "~ 1", "lot_wafer"),
  Pixel = list(Pixel, pixel ~ day + I(day^2) + (day | Dog), "pixel ~ day + I(day ** 2)", "~ day", "Dog"),
  Rail = list(Rail, travel ~ 1 + (1 | Rail), "travel ~ 1", "~ 1", "Rail"),
  ChickWeight = list(ChickWeight, weight ~ Time * Diet + (Time | Chick), "weight ~ Time * Diet", "~ Time", "Chick"),
  CO2 = list(CO2, uptake ~ log(conc) + Type * Treatment + (1 | Plant),
             "uptake ~ np.log(conc) + Type * Treatment", "~ 1", "Plant"),
  Loblolly = list(Loblolly, height ~ age + I(age^2) + (age | Seed), "height ~ age + I(age ** 2)", "~ age", "Seed"),
  npk = list(npk, yield ~ N + P + K + (1 | block), "Q('yield') ~ N + P + K", "~ 1", "block"),
  Orange = list(Orange, circumference ~ age + (0 + age | Tree), "circumference ~ age", "~ 0 + age", "Tree")
)

# What several optimisers find, from two starts; then bobyqa from the best, until it stays.
tight <- function(fn, par, lower, upper, control) {
  bobyqa <- function(start, rhobeg) {
    minqa::bobyqa(start, fn, lower, control = list(rhobeg = rhobeg, rhoend = 1e-9, maxfun = 1e5))$par
  }
  identity_start <- as.numeric(lower == 0)
  found <- list(bobyqa(identity_start, 0.2), bobyqa(par, 0.2), nloptwrap(par, fn, lower, upper)$par,
                nlminb(identity_start, fn, lower = lower, control = list(rel.tol = 1e-15, x.tol = 1e-10))$par,
                bobyqa(2 * identity_start, 1), bobyqa(0.1 * identity_start, 0.05))
  best <- found[[which.min(sapply(found, fn))]]
  for (rhobeg in c(1e-2, 1e-4, 1e-5)) {
    again <- bobyqa(best, rhobeg)
    if (fn(again) < fn(best)) best <- again
  }
  list(par = best, fval = fn(best), conv = 0, message = "tight")
}
control <- lmerControl(optimizer = "tight", boundary.tol = 0, restart_edge = FALSE, calc.derivs = FALSE,
                       check.conv.singular = "ignore")

# Minus twice the (restricted) log-likelihood at any (theta, sigma), from lme4's own deviance function.
full_deviance <- function(fit) {
  fn <- update(fit, devFunOnly = TRUE)
  state <- environment(fn)
  df <- nobs(fit) - isREML(fit) * length(fixef(fit))
  function(theta, sigma) {
    fn(theta)
    df * log(2 * pi * sigma^2) + state$pp$ldL2() + isREML(fit) * state$pp$ldRX2() +
      (state$resp$wrss() + state$pp$sqrL(1)) / sigma^2
  }
}

# The ends of the profile, without lme4's splines: the values at which the deviance, the parameter held
# and the others at their best within their bounds, is qchisq(.95, 1) above the best. For an SD the lower
# end is 0, for a correlation an end is -1 or 1, where the deviance doesn't get that high. The others
# are searched from where they are best, and from SDs near 0, where a correlation costs nothing.
profile_ends <- function(fit) {
  q <- length(fit@cnms[[1]])
  best <- -2 * as.numeric(logLik(fit))
  fn <- full_deviance(fit)
  sds <- unname(attr(VarCorr(fit)[[1]], "stddev"))
  unit <- c(sds, sigma(fit))
  unit[unit < 1e-6 * sigma(fit)] <- sigma(fit)
  if (q == 2) unit <- c(unit[1], 1, unit[2:3])
  at <- (if (q == 1) c(sds, sigma(fit)) else
    c(sds[1], attr(VarCorr(fit)[[1]], "correlation")[2, 1], sds[2], sigma(fit))) / unit
  at[is.nan(at)] <- 0
  last <- length(at)
  lower <- c(0, if (q == 2) c(-1, 0), 1e-3)
  upper <- c(Inf, if (q == 2) c(1, Inf), Inf)
  deviance_at <- function(x) {
    x <- x * unit
    sigma <- x[last]
    theta <- x[1] / sigma
    if (q == 2) theta <- c(theta, x[3] / sigma * c(x[2], sqrt(max(0, 1 - x[2]^2))))
    fn(theta, sigma)
  }
  excess <- function(k, value) {
    starts <- list(at)
    if (q == 2) for (i in c(1, 3)) for (r in c(-.9, 0, .9)) {
      s <- at
      s[i] <- 1e-3
      s[2] <- r
      starts <- c(starts, list(s))
    }
    if (q == 1) starts <- c(starts, list(replace(at, 1, 1e-3)))
    min(sapply(starts, function(s) {
      whole <- function(rest) deviance_at(append(rest, value, k - 1))
      first <- minqa::bobyqa(pmax(s[-k], lower[-k]), whole, lower[-k], upper[-k],
                             control = list(rhobeg = 0.05, rhoend = 1e-9, maxfun = 1e4))
      minqa::bobyqa(first$par, whole, lower[-k], upper[-k],
                    control = list(rhobeg = 1e-3, rhoend = 1e-10, maxfun = 1e4))$fval
    })) - best
  }
  ends <- t(sapply(seq_len(last), function(k) {
    gap <- function(value) excess(k, value) - qchisq(0.95, 1)
    low <- if (is.finite(lower[k]) && k < last && gap(lower[k]) <= 0) lower[k] else
      uniroot(gap, c(lower[k] + (k == last) * at[k] / 5, at[k]), tol = 1e-9)$root
    top <- upper[k]
    if (!is.finite(top)) {
      top <- 2 * at[k] + 0.5
      while (gap(top) < 0) top <- 2 * top
    }
    high <- if (gap(top) <= 0) top else uniroot(gap, c(at[k], top), tol = 1e-9)$root
    c(low, high) * unit[k]
  }))
  ends
}

describe_fit <- function(fit, new) {
  u <- ranef(fit, condVar = TRUE)[[1]]
  post <- attr(u, "postVar")
  tests <- coef(summary(as_lmerModLmerTest(fit), ddf = "Satterthwaite"))
  v <- VarCorr(fit)[[1]]
  c(list(
    log_likelihood = as.numeric(logLik(fit)), singular = isSingular(fit, tol = 1e-6), sigma2 = sigma(fit)^2,
    terms = array_of(names(fixef(fit))), estimate = array_of(fixef(fit)),
    se = array_of(sqrt(diag(as.matrix(vcov(fit))))), df = array_of(tests[, "df"]),
    tau = rows(v[, , drop = FALSE]),
    ranef = rows(u), conditional_sd = rows(do.call(rbind, lapply(seq_len(nrow(u)), function(j) {
      sqrt(diag(matrix(post[, , j], nrow(post))))
    }))),
    fitted = array_of(fitted(fit)), fixed_part = array_of(predict(fit, re.form = NA)[1:6]),
    new_group = array_of(predict(fit, new, allow.new.levels = TRUE))
  ), if (nrow(v) < 3) list(profile = rows(profile_ends(fit))))
}

out <- list()
for (name in names(models)) {
  model <- models[[name]]
  data <- as.data.frame(model[[1]])
  if (name == "Oxide") data$lot_wafer <- paste(data$Wafer, data$Lot, sep = ":")
  columns <- unique(c(all.vars(model[[2]]), model[[5]]))
  if (name == "Oxide") columns <- c("Thickness", "Source", "lot_wafer")
  write.csv(format(data[columns], digits = 15, trim = TRUE), file.path(here, "real", paste0(name, ".csv")),
            row.names = FALSE, quote = FALSE)
  new <- data[1:3, ]
  out[[name]] <- list(formula = deparse1(model[[2]]), fixed = model[[3]], random = model[[4]], groups = model[[5]])
  for (method in c("reml", "ml")) {
    fit <- eval(bquote(lme4::lmer(.(model[[2]]), data = data, REML = .(method == "reml"), control = control)))
    new[[names(fit@flist)[1]]] <- "nowhere"
    if (name == "Oxide") new$Wafer <- new$Lot <- "nowhere"
    out[[name]]$labels <- array_of(rownames(ranef(fit)[[1]]))
    out[[name]][[method]] <- describe_fit(fit, new)
    cat(sprintf("%-13s %-4s %.9f%s\n", name, method, as.numeric(logLik(fit)), if (isSingular(fit)) " singular" else ""))
  }
}
out$versions <- as.list(c(R = as.character(getRversion()),
                          sapply(c("lme4", "lmerTest", "nlme"), function(p) as.character(packageVersion(p)))))
out <- file(file.path(here, "real.json"), open = "wb") |> (\(con) {
  writeLines(jsonlite::toJSON(out, digits = NA, auto_unbox = TRUE, na = "null"), con, sep = "\n")
  close(con)
})()
