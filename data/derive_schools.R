# Write data/scottish_schools.csv and data/math_growth.csv from the R package mlmRev.
#
#   Rscript data/derive_schools.R
#
# The bytes depend on the data alone: no quotes, LF line ends, UTF-8, no locale.

suppressPackageStartupMessages(library(mlmRev))
script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
folder <- if (length(script)) dirname(script) else "data"

keep <- function(data, name) {
  stopifnot(!anyNA(data))
  out <- file(file.path(folder, name), open = "wb") # a binary connection keeps LF on every system
  write.csv(data, out, row.names = FALSE, quote = FALSE, eol = "\n")
  close(out)
  cat(sprintf("%s: %d rows\n", name, nrow(data)))
}

scottish <- with(ScotsSec, data.frame(primary, secondary = second, attain, verbal))
stopifnot(nrow(scottish) == 3435, nlevels(scottish$primary) == 148, nlevels(scottish$secondary) == 19)
keep(scottish, "scottish_schools.csv")

# Numbers from 1 on in place of the long numbers of the children, in the order of the file.
growth <- with(egsingle, data.frame(
  school = schoolid, child = match(childid, unique(childid)), year, math
))
stopifnot(
  nrow(growth) == 7230, nlevels(growth$school) == 60, max(growth$child) == 1721,
  # no child has changed schools, and no two schools share a child's number
  nrow(unique(growth[c("school", "child")])) == 1721,
  abs(growth$math - round(growth$math, 3)) < 1e-9
)
keep(growth, "math_growth.csv")
