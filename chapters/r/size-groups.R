# The factor with three levels of "Means as outcomes" in R. To run it, in the folder of the course:
#
#   Rscript chapters/r/size-groups.R

# ---- data ----
library(lmerTest)
library(emmeans)
# With more than 3000 rows emmeans uses the normal distribution, unless told otherwise.
emm_options(lmer.df = "satterthwaite", lmerTest.limit = 10000)
hsb <- read.csv("data/hsb.csv")
hsb$size_group <- cut(hsb$size, c(0, 800, 1400, 3000), c("small", "medium", "large"))

# ---- size-groups ----
fit <- lmer(mathach ~ size_group + (1 | schid), data = hsb)
anova(fit)
means <- emmeans(fit, "size_group")
means
pairs(means)
contrast(means, list("large - others" = c(-1 / 2, -1 / 2, 1)))

# ---- end ----
