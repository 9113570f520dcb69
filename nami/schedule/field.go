package schedule

import (
	"cmp"
	"fmt"

	"github.com/nami-flow/go-nami/nami/field"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Converted is a field that predicts another quantity than the field that it wraps, by
// [Convert]: one trained field serves every process. Its variables are the wrapped field's.
type Converted struct {
	// Field is what was trained.
	Field field.Field

	// Schedule is the one it was trained with.
	Schedule Schedule

	// From is what Field predicts, To what this one does.
	From, To Prediction
}

// Validate reports parts that are missing or out of range.
func (f Converted) Validate() error {
	return cmp.Or(field.Validate(f.Field), Validate(f.Schedule), f.From.Validate(), f.To.Validate())
}

// EventRank implements [field.Field].
func (f Converted) EventRank() int {
	must(f.Validate())
	return f.Field.EventRank()
}

// Apply implements [field.Field].
func (f Converted) Apply(scope *model.Scope, x, t, c *Node) *Node {
	return Convert(f.Schedule, f.From, f.To, field.Call(f.Field, scope, x, t, c), x, t)
}

// Map implements [field.Wrapper].
func (f Converted) Map(inner func(field.Field) field.Field) field.Field {
	f.Field = inner(f.Field)
	return f
}

// String describes the field on one line.
func (f Converted) String() string {
	return fmt.Sprintf("Converted{%v, %v, %v to %v}", f.Field, f.Schedule, f.From, f.To)
}

// Rescheduled is a field that was trained with one schedule and serves another, without
// training (Karras et al. 2022, arXiv:2206.00364; Lipman et al. 2024, arXiv:2412.06264, on
// changing the scheduler of a velocity after training). Two schedules mix the same data and
// noise, up to a factor, at the times where their signal-to-noise ratios are equal. So the
// wrapped field is asked there: with x scaled by √(α²+σ²) of its schedule over that of the
// new one, at the time that [TimeOf] finds. Variables are the wrapped field's.
//
// x0 and ε are computed in the old schedule, and As from them in the new one. So a field that
// predicts noise gives data even where the new schedule is pure noise, as [Linear] is at t=1,
// which an [Eps] converted there could not. Noise levels beyond those of From count as its last
// one: VP{} ends at σ/α = 152, for example. An error of the network's ε is multiplied by σ/α in
// the data: start a solve where that is moderate, such as at t = 0.95 of [Linear].
type Rescheduled struct {
	// Field is what was trained.
	Field field.Field

	// From is the schedule of the training, and Prediction what Field predicts in it.
	From       Schedule
	Prediction Prediction

	// To is the schedule to use, and As what this field predicts in it.
	To Schedule
	As Prediction
}

// Validate reports parts that are missing or out of range.
func (f Rescheduled) Validate() error {
	return cmp.Or(field.Validate(f.Field), Validate(f.From), f.Prediction.Validate(), Validate(f.To), f.As.Validate())
}

// EventRank implements [field.Field].
func (f Rescheduled) EventRank() int {
	must(f.Validate())
	return f.Field.EventRank()
}

// Apply implements [field.Field].
func (f Rescheduled) Apply(scope *model.Scope, x, t, c *Node) *Node {
	to := mixtureAt(f.To, x, t)
	trainedT := TimeOf(f.From, f.To.Alpha(t), f.To.Sigma(t))
	from := mixtureAt(f.From, x, trainedT)
	from.x = Mul(x, Sqrt(Div(from.norm2(), to.norm2())))
	value := field.Call(f.Field, scope, from.x, trainedT, c)
	return to.predict(f.As,
		func() *Node { return from.data(f.Prediction, value) },
		func() *Node { return from.noise(f.Prediction, value) })
}

// Map implements [field.Wrapper].
func (f Rescheduled) Map(inner func(field.Field) field.Field) field.Field {
	f.Field = inner(f.Field)
	return f
}

// String describes the field on one line.
func (f Rescheduled) String() string {
	return fmt.Sprintf("Rescheduled{%v, %v %v to %v %v}", f.Field, f.From, f.Prediction, f.To, f.As)
}
