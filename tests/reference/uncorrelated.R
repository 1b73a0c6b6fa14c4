# lme4's values for uncorrelated random effects, (x || g), driven to a tight optimum.
#
#   Rscript tests/reference/uncorrelated.R
#
# Reads data/hsb.csv and lme4's sleepstudy, writes uncorrelated.json next to this script.

suppressPackageStartupMessages({library(lme4); library(jsonlite)})
script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
here <- if (length(script)) dirname(script) else file.path("tests", "reference")
hsb <- read.csv(file.path(here, "..", "..", "data", "hsb.csv"))
hsb$ses_cwc <- hsb$ses - ave(hsb$ses, hsb$schid)
names(hsb)[names(hsb) == "schid"] <- "g"
sleep <- transform(sleepstudy, g = as.integer(as.character(Subject)))[c("Reaction", "Days", "g")]

fit_tight <- function(formula, data, reml) {
  deviance <- do.call(mkLmerDevfun, lFormula(formula, data, REML = reml))
  ones <- rep(1, length(environment(deviance)$lower))
  best <- nlminb(ones, deviance, lower = 0, control = list(rel.tol = 1e-15, x.tol = 1e-12))
  # the formula and the data themselves stand in the call, where lmerTest and confint look for them
  fit <- do.call(lmerTest::lmer, list(formula, data, REML = reml, start = best$par, control = lmerControl(
    optimizer = "bobyqa", optCtrl = list(rhobeg = 0.01, rhoend = 1e-10, maxfun = 1e5))))
  # nlminb stops where its differences of the deviance are rounding; bobyqa needs none
  stopifnot("two optimisers differ" = abs(deviance(getME(fit, "theta")) - best$objective) < 1e-5)
  fit
}

result <- function(formula, data, reml) {
  fit <- fit_tight(formula, data, reml)
  effects <- ranef(fit, condVar = TRUE)$g
  # with || every effect is a term of its own; the conditional variances come as a list of terms
  variances <- attr(effects, "postVar")
  sd <- if (is.list(variances)) sapply(variances, function(v) sqrt(v[1, 1, ])) else t(apply(variances, 3, function(v) sqrt(diag(v))))
  tests <- coef(summary(fit))
  out <- list(log_likelihood = as.numeric(logLik(fit)), fixed = I(unname(fixef(fit))),
              se = I(unname(sqrt(diag(as.matrix(vcov(fit)))))), df = I(unname(tests[, "df"])),
              variances = I(unname(sapply(VarCorr(fit), function(v) v[1, 1]))), sigma2 = sigma(fit)^2,
              groups = I(rownames(effects)[1:5]), blups = unname(as.matrix(effects[1:5, ])), sd = unname(sd[1:5, ]))
  if (!reml) {
    limits <- suppressMessages(confint(fit, parm = "theta_", quiet = TRUE))
    out$limits <- unname(limits)
  }
  out
}
tasks <- list(
  slope_raw = list(mathach ~ ses + (ses || g), hsb),
  slope_cwc = list(mathach ~ ses_cwc + (ses_cwc || g), hsb),
  three_slopes = list(mathach ~ ses + minority + female + (ses + minority + female || g), hsb),
  sleepstudy = list(Reaction ~ Days + (Days || g), sleep)
)
found <- lapply(tasks, function(task) {
  list(reml = result(task[[1]], task[[2]], TRUE), ml = result(task[[1]], task[[2]], FALSE))
})
found$sleep <- sleep
writeLines(toJSON(found, digits = NA, auto_unbox = TRUE, dataframe = "columns"), file.path(here, "uncorrelated.json"))
