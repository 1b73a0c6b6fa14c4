# The growth models of "Time points within persons" in R. To run them, in the folder of the course:
#
#   Rscript chapters/r/time-points.R
#
# lmerTest's lmer() is that of lme4; its summary() adds degrees of freedom and p values.

# ---- data ----
library(lmerTest)
sleepstudy <- read.csv("data/sleepstudy.csv")
restricted <- subset(sleepstudy, Days >= 2)
restricted$day <- restricted$Days - 2

# ---- time-points-published ----
fit <- lmer(Reaction ~ Days + (Days | Subject), data = sleepstudy)
summary(fit)

# ---- time-points ----
fit <- lmer(Reaction ~ day + (day | Subject), data = restricted)
summary(fit)

# ---- time-points-ar1 ----
library(nlme)
alone <- lme(Reaction ~ day, random = ~ day | Subject, data = restricted)
ar1 <- update(alone, correlation = corAR1(form = ~ day | Subject))
ar1
summary(ar1)$tTable
anova(alone, ar1)

# ---- end ----
