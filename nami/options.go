package nami

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
)

// settings are what options change.
type settings struct {
	dtype       dtypes.DType
	seed        int64
	chunk       int
	progress    func(done, total int)
	noise, data float64
	anyModel    bool
	draws       int
}

// Option changes a process from its defaults.
type Option func(*settings)

// Seed sets where a process's random numbers start; 0 if not given. The same seed and
// shapes give the same samples on every backend, up to rounding.
func Seed(seed int64) Option { return func(s *settings) { s.seed = seed } }

// DType sets what a process computes in: dtypes.Float32, the default, or dtypes.Float64,
// which the field's variables must have too (see [Convert]).
func DType(dtype dtypes.DType) Option { return func(s *settings) { s.dtype = dtype } }

// WithProgress calls f as a solve goes on, about ten times a second, with how much of it is
// done, summed over the chunks: of its steps, or of the thousandths of the time that the
// slowest sample has to cover where the solver chooses its steps.
func WithProgress(f func(done, total int)) Option { return func(s *settings) { s.progress = f } }

// ChunkSize sets how many events are on the device at once; 16,384 if not given.
func ChunkSize(events int) Option { return func(s *settings) { s.chunk = events } }

// Times sets where a solve begins and ends: a sample moves from time noise to time data,
// 1 and 0 if not given, a likelihood's way is the opposite one.
func Times(noise, data float64) Option { return func(s *settings) { s.noise, s.data = noise, data } }

// Draws sets how many times [Process.LogProb] draws the noise that a model's Transform adds to an
// event, as transform.Dequantize and transform.Circle do; 1 if not given. The log-density is the
// logarithm of the mean density over the draws, which is less noisy than that of one draw, and, as
// an average, closer to the logarithm of the event's own density, from below (Burda et al. 2016,
// arXiv:1509.00519, theorem 1). It takes that many times as long. Without noise it changes nothing.
func Draws(n int) Option { return func(s *settings) { s.draws = n } }

// AnyModel binds the model as it is given. Without it, a field, base, path or schedule other
// than that with which the store's weights were trained is an error.
func AnyModel() Option { return func(s *settings) { s.anyModel = true } }

// settle makes settings of options.
func settle(options []Option) (s settings, err error) {
	s = settings{dtype: dtypes.Float32, chunk: 16_384, noise: 1, draws: 1}
	for i, option := range options {
		if option == nil {
			return s, fmt.Errorf("nami: option %d of %d is nil", i, len(options))
		}
		option(&s)
	}
	switch {
	case s.dtype != dtypes.Float32 && s.dtype != dtypes.Float64:
		return s, fmt.Errorf("nami: the dtype is %s: a process computes in Float32 or Float64", s.dtype)
	case s.draws < 1:
		return s, fmt.Errorf("nami: Draws is %d: it must be at least 1", s.draws)
	case s.chunk < 1:
		return s, fmt.Errorf("nami: ChunkSize is %d: it must be at least 1", s.chunk)
	case !(s.data >= 0 && s.data < s.noise && s.noise <= 1):
		return s, fmt.Errorf("nami: Times are %v (noise) and %v (data): expected 0 ≤ data < noise ≤ 1", s.noise, s.data)
	}
	return s, nil
}
