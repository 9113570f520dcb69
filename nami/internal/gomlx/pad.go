package gomlx

import (
	"fmt"
	"reflect"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// GoMLX has no derivative of Pad, and so no second derivative of Slice, which a gradient of a
// likelihood asks for in any network that cuts its values into parts. Its table of derivatives
// is open; the derivative is ours until it has one.
func init() {
	if _, known := VJPRegistration[NodeTypePad]; !known {
		VJPRegistration[NodeTypePad] = padVJP
	}
}

// padVJP is the derivative of Pad by what it pads, and by what it fills with.
func padVJP(node *Node, outputs []*Node, _ shapes.Shape) []*Node {
	v, x := outputs[0], node.Inputs()[0]
	cut := make([]SliceAxisSpec, x.Rank())
	for axis, before := range padding(node) {
		step := before.interior + 1
		if before.start < 0 || before.end < 0 {
			panic(fmt.Errorf("there is no derivative of padding by a negative number: %d before and %d after axis %d", before.start, before.end, axis))
		}
		cut[axis] = AxisRange(before.start, before.start+(x.Shape().Dim(axis)-1)*step+1).Stride(step)
	}
	inside := Slice(v, cut...)
	return []*Node{inside, Sub(ReduceAllSum(v), ReduceAllSum(inside))}
}

type paddedAxis struct{ start, end, interior int }

// padding is how a node of Pad pads each axis. GoMLX keeps it in fields that it doesn't export.
func padding(node *Node) (axes []paddedAxis) {
	config := reflect.ValueOf(node).Elem().FieldByName("inputs").Elem().Elem().FieldByName("axesConfig")
	for i := range config.Len() {
		of := func(name string) int { return int(config.Index(i).FieldByName(name).Int()) }
		axes = append(axes, paddedAxis{of("Start"), of("End"), of("Interior")})
	}
	for len(axes) < node.Inputs()[0].Rank() {
		axes = append(axes, paddedAxis{})
	}
	return axes
}
