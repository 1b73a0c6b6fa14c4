# Write data/hsb.csv from merTools::hsb, after checking it against the copy in nlme.
#
#   Rscript data/derive_hsb.R
#
# The bytes depend on the data alone: no quotes, LF line ends, UTF-8, no locale.

# The file is written next to this script, wherever the script is called from.
script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
target <- file.path(if (length(script)) dirname(script) else "data", "hsb.csv")

columns <- c("schid", "minority", "female", "ses", "mathach", "size", "schtype", "meanses")
hsb <- as.data.frame(merTools::hsb)

# nlme keeps the students and the schools in two tables; the school is the key.
students <- as.data.frame(nlme::MathAchieve)
schools <- as.data.frame(nlme::MathAchSchool)
at <- match(as.character(students$School), as.character(schools$School))
joined <- data.frame(
  schid = as.character(students$School),
  minority = as.numeric(students$Minority == "Yes"),
  female = as.numeric(students$Sex == "Female"),
  ses = students$SES,
  mathach = students$MathAch,
  size = schools$Size[at],
  schtype = as.numeric(schools$Sector[at] == "Catholic"),
  meanses = schools$MEANSES[at]
)

stopifnot(
  "merTools::hsb does not have the eight expected columns in the expected order" =
    identical(names(hsb), columns),
  "merTools::hsb does not have 7185 rows" = nrow(hsb) == 7185,
  "merTools::hsb does not have 160 schools" = length(unique(hsb$schid)) == 160,
  "a school id is not made of four digits" = all(grepl("^[0-9]{4}$", hsb$schid)),
  "the rows of a school are not next to each other" =
    length(rle(as.character(hsb$schid))$lengths) == 160,
  "merTools::hsb has missing values" = !anyNA(hsb),
  "a school of nlme::MathAchieve is not in nlme::MathAchSchool" = !anyNA(at),
  "nlme::MathAchieve does not have as many rows as merTools::hsb" =
    nrow(students) == nrow(hsb),
  "the two tables of nlme disagree about MEANSES" =
    identical(students$MEANSES, joined$meanses)
)
for (column in columns) {
  differ <- which(as.character(joined[[column]]) != as.character(hsb[[column]]))
  if (length(differ)) {
    stop(sprintf(
      "column '%s' of merTools::hsb differs from nlme in %d rows, first in row %d",
      column, length(differ), differ[1]
    ))
  }
}

# Nothing is lost by writing integers as integers and the rest with three decimals or fewer.
whole <- c("schid", "minority", "female", "size", "schtype")
decimal <- c("ses", "mathach", "meanses")
for (column in whole) {
  number <- as.numeric(hsb[[column]])
  if (any(number != round(number))) stop(sprintf("column '%s' is not whole", column))
  hsb[[column]] <- as.integer(number)
}
for (column in decimal) {
  if (any(abs(hsb[[column]] - round(hsb[[column]], 3)) > 1e-9)) {
    stop(sprintf("column '%s' has more than three decimals", column))
  }
  # Fifteen significant digits, trailing zeros dropped: 0.02, never 0.0200000000001.
  hsb[[column]] <- as.character(round(hsb[[column]], 3))
}

# A binary connection keeps LF on every system.
out <- file(target, open = "wb")
write.csv(hsb, out, row.names = FALSE, quote = FALSE, eol = "\n")
close(out)

back <- read.csv(target, colClasses = c(schid = "character"))
stopifnot(
  "the file that was written does not read back as merTools::hsb" =
    isTRUE(all.equal(
      back, as.data.frame(merTools::hsb)[columns],
      tolerance = 1e-12, check.attributes = FALSE
    ))
)
cat(sprintf("%s: %d rows, %d schools\n", target, nrow(back), length(unique(back$schid))))
