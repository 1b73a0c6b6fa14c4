# Values for tests/test_power.py: power of a study of 40 HSB schools, by lme4's simulate and refit.
# Run from the root of the repository (some five minutes): Rscript tests/reference/power.R
suppressMessages({library(lme4); library(lmerTest); library(jsonlite)})
hsb <- read.csv("data/hsb.csv", colClasses = c(schid = "character"))
hsb$ses_cwc <- hsb$ses - ave(hsb$ses, hsb$schid)
some <- subset(hsb, schid %in% unique(schid)[seq(1, 160, 4)])
draws <- 2000
formula <- mathach ~ schtype * ses_cwc + (ses_cwc | schid)
tau <- matrix(c(4, 0.4, 0.4, 0.8), 2)
truth <- list(beta = c(12, 1.4, 0.8, 1.2), sigma = 6)  # intercept, schtype, ses_cwc, schtype:ses_cwc
lower <- t(chol(tau / truth$sigma^2))
truth$theta <- lower[lower.tri(lower, diag = TRUE)]
responses <- simulate(formula[-2], newdata = some, newparams = truth, nsim = draws, seed = 1, family = gaussian)

calm <- function(x) suppressWarnings(suppressMessages(x))
large <- calm(lme4::lmer(formula, some))
small <- calm(lme4::lmer(mathach ~ schtype * ses_cwc + (1 | schid), some))
begin <- Sys.time()
fits <- lapply(responses, function(y) calm(refit(large, y)))
seconds <- as.numeric(Sys.time() - begin, units = "secs")
p <- sapply(fits, function(fit) coef(summary(calm(as_lmerModLmerTest(fit))))[-1, "Pr(>|t|)"])
statistic <- sapply(seq_len(draws), function(i) {
  as.numeric(max(0, 2 * (logLik(fits[[i]]) - logLik(calm(refit(small, responses[[i]]))))))
})
p_slope <- (pchisq(statistic, 1, lower.tail = FALSE) + pchisq(statistic, 2, lower.tail = FALSE)) / 2
power <- c(rowMeans(p < 0.05), "ses_cwc Var" = mean(p_slope < 0.05))
write_json(list(draws = draws, beta = truth$beta, tau = tau, sigma2 = truth$sigma^2, power = as.list(power),
                seconds_per_1000_refits = 1000 * seconds / draws,
                versions = lapply(c(lme4 = "lme4", lmerTest = "lmerTest"), function(x) as.character(packageVersion(x)))),
           "tests/reference/power.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
