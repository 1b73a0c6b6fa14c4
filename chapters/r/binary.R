# The binary outcome of "Where to go next" in R. To run it, in the folder of the course:
#
#   Rscript chapters/r/binary.R

# ---- data ----
library(lme4)
hsb <- read.csv("data/hsb.csv")
hsb$high <- hsb$mathach >= 18

# ---- binary ----
fit <- glmer(high ~ ses + (1 | schid), data = hsb, family = binomial)
summary(fit)

# ---- end ----
