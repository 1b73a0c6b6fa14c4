# Values for tests/test_inference.py that reference.R does not make: singular fits by lme4 and
# lmerTest at a tight optimum, and nlme's normal-theory interval of the variances of the null model.
# Run from the root of the repository: Rscript tests/reference/engine.R
suppressMessages({library(lme4); library(lmerTest); library(nlme); library(jsonlite)})
hsb <- read.csv("data/hsb.csv", colClasses = c(schid = "character"))
schools <- unique(hsb$schid)

# The lowest of three searches, one of them without bounds: at theta = 0 the gradient vanishes, and a
# search with bounds can stop there.
tight <- function(fn, par, lower, upper, control) {
  identity <- as.numeric(lower == 0)
  found <- list(
    minqa::bobyqa(identity, fn, lower, control = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e5))$par,
    optim(identity, fn, method = "BFGS", control = list(reltol = 1e-16, maxit = 1e4, ndeps = rep(1e-5, length(par))))$par,
    nlminb(identity, fn, lower = lower, control = list(rel.tol = 1e-15, x.tol = 1e-12))$par)
  best <- found[[which.min(sapply(found, fn))]]
  best <- best * rep(ifelse(best[lower == 0] < 0, -1, 1), rev(seq_len(sum(lower == 0))))  # signs of whole columns
  best <- minqa::bobyqa(best, fn, lower, control = list(rhobeg = 0.01, rhoend = 1e-11, maxfun = 1e5))$par
  list(par = best, fval = fn(best), conv = 0, message = "tight")
}
singular <- lapply(list("61 to 80" = 61:80, "81 to 100" = 81:100), function(rows) {
  some <- subset(hsb, schid %in% schools[rows])
  fit <- lmerTest::lmer(mathach ~ ses + minority + (ses | schid), some,
                        control = lmerControl(optimizer = "tight", boundary.tol = 0, restart_edge = FALSE))
  table <- coef(summary(fit))
  list(log_likelihood = as.numeric(logLik(fit)), theta = getME(fit, "theta"), estimate = table[, "Estimate"],
       se = table[, "Std. Error"], df = table[, "df"], tau = matrix(VarCorr(fit)[[1]], 2), sigma2 = sigma(fit)^2,
       ranef = as.matrix(ranef(fit)$schid)[1:3, ])
})
null <- lme(mathach ~ 1, hsb, ~ 1 | schid, control = lmeControl(msTol = 1e-12, tolerance = 1e-12))
limits <- intervals(null, which = "var-cov")
delta <- rbind(as.numeric(limits$reStruct$schid), as.numeric(limits$sigma))
write_json(list(singular = singular, delta_null = delta), "tests/reference/engine.json", digits = NA,
           auto_unbox = TRUE, pretty = TRUE)
