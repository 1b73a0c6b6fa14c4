# Intraclass correlations by psych::statsBy where values are missing.
#
#   Rscript tests/reference/missing.R
#
# Writes missing.json next to this script, the data inside.

script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
here <- if (length(script)) dirname(script) else file.path("tests", "reference")

set.seed(3)
data <- data.frame(g = rep(1:5, each = 6))
data$x <- round(rnorm(30) + data$g / 3, 3)
data$y <- round(rnorm(30) + data$g / 2, 3)
data$x[c(1, 8, 9, 10, 20)] <- NA
data$y[c(3, 4, 25:30)] <- NA # a whole group
found <- psych::statsBy(data, "g")
out <- list(data = data, icc1 = as.list(found$ICC1[c("x", "y")]), icc2 = as.list(found$ICC2[c("x", "y")]),
            versions = list(R = as.character(getRversion()), psych = as.character(packageVersion("psych"))))
writeLines(jsonlite::toJSON(out, digits = NA, auto_unbox = TRUE, na = "null", dataframe = "columns"),
           file.path(here, "missing.json"))
