package onnx

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"
)

// computed is the dtype in which ONNX Runtime does arithmetic for another one: small and
// unsigned integers go through int64, whose lower bits are theirs.
func computed(dtype dtypes.DType) (dtypes.DType, error) {
	switch dtype {
	case dtypes.Float32, dtypes.Float64, dtypes.Int32, dtypes.Int64:
		return dtype, nil
	case dtypes.Uint8, dtypes.Int8, dtypes.Uint16, dtypes.Int16, dtypes.Uint32, dtypes.Bool:
		return dtypes.Int64, nil
	}
	return dtype, fmt.Errorf("onnx: ONNX Runtime doesn't compute in %s: use Float32, Float64, Int32 or Int64", dtype)
}

// cast converts x, unless it is of that dtype.
func (f *function) cast(x *value, dtype dtypes.DType) *value {
	if x.shape.DType == dtype {
		return x
	}
	shape := x.shape.Clone()
	shape.DType = dtype
	return f.apply("Cast", shape, []*value{x}, attribute{"to", int64(elementTypes[dtype])})
}

// through applies an operation whose result has the given shape, in a dtype that ONNX
// Runtime has it for.
func (f *function) through(kind string, shape shapes.Shape, inputs ...*value) (*value, error) {
	dtype, err := computed(inputs[0].shape.DType)
	if err != nil {
		return nil, err
	}
	for i, x := range inputs {
		inputs[i] = f.cast(x, dtype)
	}
	inside := shape.Clone()
	if inside.DType != dtypes.Bool {
		inside.DType = dtype
	}
	return f.cast(f.apply(kind, inside, inputs), shape.DType), nil
}

func (f *function) binary(op compute.OpType, kind string, lhs, rhs compute.Value) (compute.Value, error) {
	a, b := lhs.(*value), rhs.(*value)
	shape, err := shapeinference.BinaryOp(op, a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	return f.through(kind, shape, a, b)
}

// bitwise is a binary operation that ONNX Runtime has for the dtype as it is.
func (f *function) bitwise(op compute.OpType, kind string, lhs, rhs compute.Value, attributes ...attribute) (compute.Value, error) {
	a, b := lhs.(*value), rhs.(*value)
	shape, err := shapeinference.BinaryOp(op, a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	return f.apply(kind, shape, []*value{a, b}, attributes...), nil
}

func (f *function) compare(op compute.OpType, kind string, lhs, rhs compute.Value) (compute.Value, error) {
	a, b := lhs.(*value), rhs.(*value)
	shape, err := shapeinference.ComparisonOp(op, a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	return f.through(kind, shape, a, b)
}

func (f *function) unary(kind string, x compute.Value) (compute.Value, error) {
	return f.through(kind, x.(*value).shape, x.(*value))
}

// Add implements [compute.StandardOps], as do the methods below.
func (f *function) Add(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeAdd, "Add", a, b)
}

func (f *function) Sub(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeSub, "Sub", a, b)
}

func (f *function) Mul(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeMul, "Mul", a, b)
}

func (f *function) Div(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeDiv, "Div", a, b)
}

func (f *function) Max(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeMax, "Max", a, b)
}

func (f *function) Min(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeMin, "Min", a, b)
}

func (f *function) Pow(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypePow, "Pow", a, b)
}

// Rem has the sign of a.
func (f *function) Rem(a, b compute.Value) (compute.Value, error) {
	return f.bitwise(compute.OpTypeRem, "Mod", a, b, attribute{"fmod", int64(1)})
}

func (f *function) Clamp(low, x, high compute.Value) (compute.Value, error) {
	x, err := f.Max(x, low)
	if err != nil {
		return nil, err
	}
	return f.Min(x, high)
}

func (f *function) LogicalAnd(a, b compute.Value) (compute.Value, error) {
	return f.bitwise(compute.OpTypeLogicalAnd, "And", a, b)
}

func (f *function) LogicalOr(a, b compute.Value) (compute.Value, error) {
	return f.bitwise(compute.OpTypeLogicalOr, "Or", a, b)
}

func (f *function) LogicalXor(a, b compute.Value) (compute.Value, error) {
	return f.bitwise(compute.OpTypeLogicalXor, "Xor", a, b)
}

func (f *function) LogicalNot(x compute.Value) (compute.Value, error) {
	return f.apply("Not", x.(*value).shape, []*value{x.(*value)}), nil
}

func (f *function) BitwiseAnd(a, b compute.Value) (compute.Value, error) {
	return f.bitwise(compute.OpTypeBitwiseAnd, "BitwiseAnd", a, b)
}

func (f *function) BitwiseOr(a, b compute.Value) (compute.Value, error) {
	return f.bitwise(compute.OpTypeBitwiseOr, "BitwiseOr", a, b)
}

func (f *function) BitwiseXor(a, b compute.Value) (compute.Value, error) {
	return f.bitwise(compute.OpTypeBitwiseXor, "BitwiseXor", a, b)
}

func (f *function) BitwiseNot(x compute.Value) (compute.Value, error) {
	return f.apply("BitwiseNot", x.(*value).shape, []*value{x.(*value)}), nil
}

func (f *function) ShiftLeft(a, b compute.Value) (compute.Value, error) {
	return f.shift(compute.OpTypeShiftLeft, "LEFT", a, b)
}

func (f *function) ShiftRightLogical(a, b compute.Value) (compute.Value, error) {
	return f.shift(compute.OpTypeShiftRightLogical, "RIGHT", a, b)
}

func (f *function) shift(op compute.OpType, direction string, a, b compute.Value) (compute.Value, error) {
	if dtype := a.(*value).shape.DType; dtype != dtypes.Uint32 && dtype != dtypes.Uint64 {
		return nil, fmt.Errorf("onnx: ONNX Runtime shifts the bits of Uint32 and Uint64, not of %s", dtype)
	}
	return f.bitwise(op, "BitShift", a, b, attribute{"direction", direction})
}

func (f *function) Equal(a, b compute.Value) (compute.Value, error) {
	return f.compare(compute.OpTypeEqual, "Equal", a, b)
}

func (f *function) NotEqual(a, b compute.Value) (compute.Value, error) {
	equal, err := f.Equal(a, b)
	if err != nil {
		return nil, err
	}
	return f.LogicalNot(equal)
}

func (f *function) LessThan(a, b compute.Value) (compute.Value, error) {
	return f.compare(compute.OpTypeLessThan, "Less", a, b)
}

func (f *function) LessOrEqual(a, b compute.Value) (compute.Value, error) {
	return f.compare(compute.OpTypeLessOrEqual, "LessOrEqual", a, b)
}

func (f *function) GreaterThan(a, b compute.Value) (compute.Value, error) {
	return f.compare(compute.OpTypeGreaterThan, "Greater", a, b)
}

func (f *function) GreaterOrEqual(a, b compute.Value) (compute.Value, error) {
	return f.compare(compute.OpTypeGreaterOrEqual, "GreaterOrEqual", a, b)
}

func (f *function) Abs(x compute.Value) (compute.Value, error)      { return f.unary("Abs", x) }
func (f *function) Neg(x compute.Value) (compute.Value, error)      { return f.unary("Neg", x) }
func (f *function) Sign(x compute.Value) (compute.Value, error)     { return f.unary("Sign", x) }
func (f *function) Ceil(x compute.Value) (compute.Value, error)     { return f.unary("Ceil", x) }
func (f *function) Floor(x compute.Value) (compute.Value, error)    { return f.unary("Floor", x) }
func (f *function) Round(x compute.Value) (compute.Value, error)    { return f.unary("Round", x) }
func (f *function) Sqrt(x compute.Value) (compute.Value, error)     { return f.unary("Sqrt", x) }
func (f *function) Exp(x compute.Value) (compute.Value, error)      { return f.unary("Exp", x) }
func (f *function) Log(x compute.Value) (compute.Value, error)      { return f.unary("Log", x) }
func (f *function) Sin(x compute.Value) (compute.Value, error)      { return f.unary("Sin", x) }
func (f *function) Cos(x compute.Value) (compute.Value, error)      { return f.unary("Cos", x) }
func (f *function) Tanh(x compute.Value) (compute.Value, error)     { return f.unary("Tanh", x) }
func (f *function) Logistic(x compute.Value) (compute.Value, error) { return f.unary("Sigmoid", x) }
func (f *function) Erf(x compute.Value) (compute.Value, error)      { return f.unary("Erf", x) }

func (f *function) Rsqrt(v compute.Value) (compute.Value, error) {
	x := v.(*value)
	return f.apply("Reciprocal", x.shape, []*value{f.apply("Sqrt", x.shape, []*value{x})}), nil
}

func (f *function) IsNaN(v compute.Value) (compute.Value, error) {
	return f.is("IsNaN", v.(*value)), nil
}

func (f *function) IsFinite(v compute.Value) (compute.Value, error) {
	x := v.(*value)
	either := f.is("IsNaN", x)
	either = f.apply("Or", either.shape, []*value{either, f.is("IsInf", x)})
	return f.apply("Not", either.shape, []*value{either}), nil
}

func (f *function) is(kind string, x *value) *value {
	return f.apply(kind, as(x.shape, dtypes.Bool), []*value{x})
}

func as(shape shapes.Shape, dtype dtypes.DType) shapes.Shape {
	shape = shape.Clone()
	shape.DType = dtype
	return shape
}

// simple writes formulas: all operands have x's dtype, and x's shape or none.
type simple struct {
	*function
	x *value
}

func (s simple) do(kind string, operands ...*value) *value { return s.apply(kind, s.x.shape, operands) }

func (s simple) constant(v float64) *value { return s.number(s.x.shape.DType, v) }

func (s simple) compare(kind string, a, b *value) *value {
	return s.apply(kind, as(s.x.shape, dtypes.Bool), []*value{a, b})
}

// Log1p is x·log(u)/(u-1) with u the rounded 1+x: the errors of the two differences cancel
// (Higham 2002, "Accuracy and Stability of Numerical Algorithms", section 1.14.1).
func (f *function) Log1p(v compute.Value) (compute.Value, error) {
	s := simple{f, v.(*value)}
	u := s.do("Add", s.x, s.constant(1))
	ratio := s.do("Div", s.x, s.do("Sub", u, s.constant(1)))
	accurate := s.do("Mul", s.do("Log", u), ratio)
	accurate = s.do("Where", s.is("IsInf", u), u, accurate)
	return s.do("Where", s.compare("Equal", u, s.constant(1)), s.x, accurate), nil
}

// Expm1 is x·(u-1)/log(u) with u the rounded eˣ, by the same argument.
func (f *function) Expm1(v compute.Value) (compute.Value, error) {
	s := simple{f, v.(*value)}
	u := s.do("Exp", s.x)
	less := s.do("Sub", u, s.constant(1))
	accurate := s.do("Mul", less, s.do("Div", s.x, s.do("Log", u)))
	// At both ends of the exponents u-1 is right as it is.
	accurate = s.do("Where", s.compare("Greater", s.do("Abs", s.x), s.constant(1)), less, accurate)
	return s.do("Where", s.compare("Equal", u, s.constant(1)), s.x, accurate), nil
}

// Atan2 is made of the arctangent of the quotient, which ONNX has. An x of -0 counts as 0.
func (f *function) Atan2(lhs, rhs compute.Value) (compute.Value, error) {
	const pi = 3.14159265358979323846
	y, x := lhs.(*value), rhs.(*value)
	shape, err := shapeinference.BinaryOp(compute.OpTypeAtan2, y.shape, x.shape)
	if err != nil {
		return nil, err
	}
	s := simple{f, &value{shape: shape}}
	zero := s.constant(0)
	angle := s.do("Atan", s.do("Div", y, x))
	turn := s.do("Where", s.compare("Less", y, zero), s.constant(-pi), s.constant(pi))
	angle = s.do("Where", s.compare("Less", x, zero), s.do("Add", angle, turn), angle)
	upright := s.do("Mul", s.do("Sign", y), s.constant(pi/2))
	return s.do("Where", s.compare("Equal", x, zero), upright, angle), nil
}

// Where implements [compute.StandardOps]. A constant condition, which GoMLX's loops are full
// of, chooses at once.
func (f *function) Where(condition, onTrue, onFalse compute.Value) (compute.Value, error) {
	c, a, b := condition.(*value), onTrue.(*value), onFalse.(*value)
	shape, err := shapeinference.Where(c.shape, a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	if len(c.constant) == 1 {
		chosen := a
		if c.constant[0] == 0 {
			chosen = b
		}
		if chosen.shape.Equal(shape) {
			return chosen, nil
		}
	}
	if shape.DType == dtypes.Bool { // which ONNX Runtime has no Where for
		not := f.apply("Not", c.shape, []*value{c})
		return f.apply("Or", shape, []*value{f.apply("And", shape, []*value{c, a}), f.apply("And", shape, []*value{not, b})}), nil
	}
	dtype, err := computed(shape.DType)
	if err != nil {
		return nil, err
	}
	return f.cast(f.apply("Where", as(shape, dtype), []*value{c, f.cast(a, dtype), f.cast(b, dtype)}), shape.DType), nil
}

// ConvertDType implements [compute.StandardOps].
func (f *function) ConvertDType(x compute.Value, dtype dtypes.DType) (compute.Value, error) {
	if _, known := elementTypes[dtype]; !known {
		return nil, fmt.Errorf("onnx: values of %s can't be written to an ONNX file", dtype)
	}
	return f.cast(x.(*value), dtype), nil
}
