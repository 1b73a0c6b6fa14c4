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

# ---- time-points-scatter ----
own <- update(alone, weights = varIdent(form = ~ 1 | Subject))
both <- update(own, correlation = corAR1(form = ~ day | Subject))
own
coef(own)["335", ]
summary(own)$tTable
anova(alone, own, both)
both$modelStruct$corStruct
summary(update(own, fixed = Reaction ~ day + I(day^2)))$tTable
summary(update(own, fixed = Reaction ~ day + I(day^2), random = ~ day + I(day^2) | Subject,
               control = lmeControl(opt = "optim", maxIter = 300, msMaxIter = 300)))$tTable

# ---- time-points-without ----
update(ar1, data = subset(restricted, !Subject %in% c(308, 332)))

# ---- end ----
