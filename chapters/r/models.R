# The five models of the course in R. To run them, in the folder of the course:
#
#   Rscript chapters/r/models.R
#
# lmerTest's lmer() is that of lme4; its summary() adds degrees of freedom and p values.

# ---- data ----
library(lmerTest)
hsb <- read.csv("data/hsb.csv")
hsb$ses_cwc <- hsb$ses - ave(hsb$ses, hsb$schid)
hsb$catholic <- hsb$schtype

# ---- anova ----
fit <- lmer(mathach ~ 1 + (1 | schid), data = hsb)
summary(fit)

# ---- means-as-outcomes ----
fit <- lmer(mathach ~ meanses + (1 | schid), data = hsb)
summary(fit)

# ---- random-ancova ----
fit <- lmer(mathach ~ ses_cwc + (1 | schid), data = hsb)
summary(fit)

# ---- random-coefficients ----
fit <- lmer(mathach ~ ses_cwc + (ses_cwc | schid), data = hsb)
summary(fit)

# ---- cross-level ----
fit <- lmer(
  mathach ~ meanses * ses_cwc + catholic * ses_cwc + (ses_cwc | schid),
  data = hsb
)
summary(fit)

# ---- end ----
