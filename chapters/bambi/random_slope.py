# The random-slope model of this course as a Bayesian fit. To run it, in the folder of the course:
#
#   python -m pip install -r chapters/bambi/requirements.txt      # in an environment of its own
#   python chapters/bambi/random_slope.py

# ---- model ----
import arviz as az
import bambi as bmb
import pandas as pd

hsb = pd.read_csv("data/hsb.csv")
hsb["ses_cwc"] = hsb["ses"] - hsb.groupby("schid")["ses"].transform("mean")

model = bmb.Model("mathach ~ ses_cwc + (ses_cwc | schid)", hsb)
draws = model.fit(draws=2000, chains=4, random_seed=1, progressbar=False)

print(model)
names = [name for name in draws.posterior.data_vars if draws.posterior[name].ndim == 2]
print(az.summary(draws, names, hdi_prob=0.95, round_to=4).to_string())
# ---- end ----
print("divergent transitions:", int(draws.sample_stats["diverging"].sum()))
