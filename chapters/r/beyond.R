# Three levels and crossed groups in R. To run it, in the folder of the course:
#
#   Rscript chapters/r/beyond.R

# ---- data ----
library(lme4)
growth <- read.csv("data/math_growth.csv")
scottish <- read.csv("data/scottish_schools.csv")

# ---- three-levels ----
fit <- lmer(math ~ year + (year | school) + (year | school:child), data = growth, REML = FALSE)
print(summary(fit), correlation = FALSE)

# ---- crossed ----
fit <- lmer(attain ~ 1 + (1 | primary) + (1 | secondary), data = scottish, REML = FALSE)
print(summary(fit), correlation = FALSE)

# ---- crossed-profile ----
confint(fit, parm = 1:2, oldNames = FALSE, quiet = TRUE)
deviance_at <- update(fit, devFunOnly = TRUE)  # of two SDs, each in units of the residual's
equal <- optimize(function(ratio) deviance_at(c(ratio, ratio)), c(0, 1))
ratio <- equal$objective - deviance(fit)
c(likelihood_ratio = ratio, p = pchisq(ratio, 1, lower.tail = FALSE))

# ---- end ----
