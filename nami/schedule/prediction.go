package schedule

import (
	"fmt"
	"strings"
)

// Prediction says what a field predicts about x_t = α·x0 + σ·ε. Each is the mean, given
// x_t, of what its comment says; so each determines the others, given x_t (see
// [Convert]).
type Prediction int

const (
	// Eps is the noise ε (Ho et al. 2020, arXiv:2006.11239).
	Eps Prediction = iota

	// Score is ∇ log p_t(x_t) = -ε/σ (Song et al. 2021, arXiv:2011.13456).
	Score

	// X0 is the data x0, the denoiser of Karras et al. 2022 (arXiv:2206.00364).
	X0

	// V is α·ε - σ·x0 (Salimans & Ho 2022, arXiv:2202.00512).
	V

	// Velocity is dx_t/dt = α̇·x0 + σ̇·ε, which flow matching learns (Lipman et al. 2023,
	// arXiv:2210.02747) and the probability-flow ODE follows.
	Velocity
)

var predictionNames = []string{"eps", "score", "x0", "v", "velocity"}

// String is the prediction's name: eps, score, x0, v or velocity.
func (p Prediction) String() string {
	if p < 0 || int(p) >= len(predictionNames) {
		return fmt.Sprintf("Prediction(%d)", int(p))
	}
	return predictionNames[p]
}

// ParsePrediction returns the prediction with the name that String gives it. Any other name is
// an error.
func ParsePrediction(name string) (Prediction, error) {
	for p, n := range predictionNames {
		if n == name {
			return Prediction(p), nil
		}
	}
	return 0, fmt.Errorf("schedule.ParsePrediction: there is no prediction %q: it must be one of %s",
		name, strings.Join(predictionNames, ", "))
}

// MarshalText implements [encoding.TextMarshaler]: the prediction's name.
func (p Prediction) MarshalText() ([]byte, error) { return []byte(p.String()), p.Validate() }

// UnmarshalText implements [encoding.TextUnmarshaler], as [ParsePrediction] does.
func (p *Prediction) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePrediction(string(text))
	return err
}

// Validate reports a value that is none of the five.
func (p Prediction) Validate() error {
	if p < 0 || int(p) >= len(predictionNames) {
		return fmt.Errorf("schedule: %v isn't a prediction: it must be one of schedule.Eps, Score, X0, V and Velocity", p)
	}
	return nil
}
