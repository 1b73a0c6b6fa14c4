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

# ---- end ----
