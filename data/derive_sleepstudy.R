# Write data/sleepstudy.csv from lme4::sleepstudy.
#
#   Rscript data/derive_sleepstudy.R
#
# The bytes depend on the data alone: no quotes, LF line ends, UTF-8, no locale.

# The file is written next to this script, wherever the script is called from.
script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
target <- file.path(if (length(script)) dirname(script) else "data", "sleepstudy.csv")

source <- as.data.frame(lme4::sleepstudy)
stopifnot(
  "lme4::sleepstudy does not have the three expected columns" =
    identical(names(source), c("Reaction", "Days", "Subject")),
  "lme4::sleepstudy does not have 18 persons with the days 0 to 9, in this order" =
    nrow(source) == 180 && all(source$Days == rep(0:9, 18)) &&
      identical(rle(as.character(source$Subject))$lengths, rep(10L, 18)),
  "a person's name is not made of three digits" = all(grepl("^[0-9]{3}$", source$Subject)),
  "lme4::sleepstudy has missing values" = !anyNA(source),
  "a reaction time has more than four decimals" =
    all(abs(source$Reaction - round(source$Reaction, 4)) < 1e-9)
)

written <- data.frame(
  Subject = as.character(source$Subject),
  Days = as.integer(source$Days),
  # Fifteen significant digits, trailing zeros dropped: 249.56, never 249.5600000001.
  Reaction = as.character(round(source$Reaction, 4))
)

# A binary connection keeps LF on every system.
out <- file(target, open = "wb")
write.csv(written, out, row.names = FALSE, quote = FALSE, eol = "\n")
close(out)

back <- read.csv(target, colClasses = c(Subject = "character"))
stopifnot(
  "the file that was written does not read back as lme4::sleepstudy" =
    identical(back$Subject, as.character(source$Subject)) && all(back$Days == source$Days) &&
      isTRUE(all.equal(back$Reaction, source$Reaction, tolerance = 1e-12))
)
cat(sprintf("%s: %d rows, %d persons\n", target, nrow(back), length(unique(back$Subject))))
