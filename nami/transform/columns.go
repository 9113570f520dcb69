package transform

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
)

// Columns gives groups of columns of the last axis a transform each, and leaves the others as
// they are:
//
//	transform.Columns{
//		{Of: []int{0, 2}, By: transform.Logarithm{}},
//		{Of: []int{1}, By: transform.Circle{}},
//	}
//
// Columns keep their places. Where a transform makes more of them, each column gives way to its
// share of the results: of four columns the ones above make five, of which 1 and 2 are the angle's.
type Columns []Group

// Group are columns that share a transform.
type Group struct {
	// Of are the numbers of the columns, from 0, in the order in which By gets them. No two
	// groups have a column in common.
	Of []int

	// By maps events of shape (..., len(Of)).
	By Transform
}

// Forward implements [Transform].
func (c Columns) Forward(random distribution.Random, x *Node) (y, logDet *Node) {
	width := lastAxis("Columns", x)
	must(c.validate(width))
	places := newPlaces(c, width)
	var ys, logDets []*Node
	for i, of := range places.groups {
		part := pick(x, of)
		if i == len(c) { // the columns that no group has
			ys, logDets = append(ys, part), append(logDets, ZerosLike(part))
			continue
		}
		out, share := c[i].By.Forward(random, part)
		must(places.widen(i, out.Shape().Dim(-1)))
		ys, logDets = append(ys, out), append(logDets, share)
	}
	model, data := places.model()
	return pick(Concatenate(ys, -1), inverse(flat(model))), pick(Concatenate(logDets, -1), inverse(flat(data)))
}

// Inverse implements [Transform].
func (c Columns) Inverse(y *Node) (x, logDet *Node) {
	places, err := c.placesOfModel(y.Shape().Dimensions)
	must(err)
	model, data := places.model()
	var xs, logDets []*Node
	for i, of := range model {
		part := pick(y, of)
		if i == len(c) {
			xs, logDets = append(xs, part), append(logDets, ZerosLike(part))
			continue
		}
		back, share := c[i].By.Inverse(part)
		xs, logDets = append(xs, back), append(logDets, share)
	}
	order := inverse(flat(data))
	return pick(Concatenate(xs, -1), order), pick(Concatenate(logDets, -1), order)
}

// ModelShape implements [Transform].
func (c Columns) ModelShape(event []int) ([]int, error) {
	if len(event) == 0 {
		return nil, fmt.Errorf("transform.Columns: an event has the shape %s: expected a last axis of columns", shape.Format(event))
	}
	width := event[len(event)-1]
	if err := c.validate(width); err != nil {
		return nil, err
	}
	places := newPlaces(c, width)
	for i, g := range c {
		made, err := g.By.ModelShape(withLast(event, len(g.Of)))
		if err == nil {
			err = places.widen(i, made[len(made)-1])
		}
		if err != nil {
			return nil, fmt.Errorf("transform.Columns: group %d, of the columns %v: %w", i, g.Of, err)
		}
	}
	model, _ := places.model()
	return withLast(event, len(flat(model))), nil
}

// validate reports groups that don't fit events of so many columns.
func (c Columns) validate(width int) error {
	seen := map[int]int{}
	for i, g := range c {
		if len(g.Of) == 0 || g.By == nil {
			return fmt.Errorf("transform.Columns: group %d has the columns %v and the transform %v: it needs at least one column, and a transform", i, g.Of, g.By)
		}
		for _, column := range g.Of {
			if column < 0 || column >= width {
				return fmt.Errorf("transform.Columns: group %d has column %d, and there are %d: the first is 0", i, column, width)
			}
			if before, twice := seen[column]; twice {
				return fmt.Errorf("transform.Columns: column %d is in group %d and in group %d: it can be in one only, and there once; a transform.Chain applies several", column, before, i)
			}
			seen[column] = i
		}
	}
	return nil
}

// places is where the columns of each group stand, in the data and in the model. The last group
// are the columns that no other has, which may be none.
type places struct {
	groups [][]int
	widths []int // how many columns each column of a group becomes
	total  int
}

func newPlaces(c Columns, width int) places {
	p := places{total: width, widths: slices.Repeat([]int{1}, len(c)+1)}
	free := slices.Repeat([]bool{true}, width)
	for _, g := range c {
		p.groups = append(p.groups, g.Of)
		for _, column := range g.Of {
			free[column] = false
		}
	}
	var rest []int
	for column, is := range free {
		if is {
			rest = append(rest, column)
		}
	}
	if len(rest) > 0 {
		p.groups = append(p.groups, rest)
	}
	return p
}

// widen notes how many columns a group becomes.
func (p places) widen(group, columns int) error {
	of := len(p.groups[group])
	if columns == 0 || columns%of != 0 {
		return fmt.Errorf("transform.Columns: the transform of the columns %v makes %d of them: expected as many for each", p.groups[group], columns)
	}
	p.widths[group] = columns / of
	return nil
}

// model is where the columns of each group stand in the model's event, and data in the data's.
func (p places) model() (model, data [][]int) {
	first := make([]int, p.total+1) // of the columns that a column becomes
	for i, of := range p.groups {
		for _, column := range of {
			first[column+1] = p.widths[i]
		}
	}
	for column := range p.total {
		first[column+1] += first[column]
	}
	for i, of := range p.groups {
		var columns []int
		for _, column := range of {
			for k := range p.widths[i] {
				columns = append(columns, first[column]+k)
			}
		}
		model = append(model, columns)
	}
	return model, p.groups
}

// placesOfModel finds the places from the shape of y, lead+event'.
func (c Columns) placesOfModel(dims []int) (p places, err error) {
	if len(dims) == 0 {
		return p, fmt.Errorf("transform.Columns: y has the shape %s: expected a last axis of columns", shape.Format(dims))
	}
	if err := c.validate(1 << 30); err != nil {
		return p, err
	}
	width := dims[len(dims)-1]
	widths := slices.Repeat([]int{1}, len(c))
	for i, g := range c {
		made, err := widened(g, dims)
		if err != nil {
			return p, fmt.Errorf("transform.Columns: group %d, of the columns %v: %w", i, g.Of, err)
		}
		width += len(g.Of) - made
		widths[i] = made
	}
	if err := c.validate(width); err != nil {
		return p, fmt.Errorf("y has the shape %s, for events of %d columns: %w", shape.Format(dims), max(0, width), err)
	}
	p = newPlaces(c, width)
	for i, made := range widths {
		if err := p.widen(i, made); err != nil {
			return p, err
		}
	}
	return p, nil
}

// widened is how many columns a group becomes, of events whose rank isn't known.
func widened(g Group, dims []int) (columns int, err error) {
	for first := len(dims) - 1; first >= 0; first-- {
		made, e := g.By.ModelShape(withLast(dims[first:], len(g.Of)))
		if e == nil {
			return made[len(made)-1], nil
		}
		if err == nil {
			err = e
		}
	}
	return 0, err
}

// pick takes columns of the last axis of x, in that order.
func pick(x *Node, columns []int) *Node {
	var runs []*Node
	for i := 0; i < len(columns); {
		j := i + 1
		for j < len(columns) && columns[j] == columns[j-1]+1 {
			j++
		}
		if j-i == x.Shape().Dim(-1) {
			return x
		}
		runs = append(runs, SliceAxis(x, -1, AxisRange(columns[i], columns[j-1]+1)))
		i = j
	}
	return Concatenate(runs, -1)
}

// inverse is the permutation that undoes order.
func inverse(order []int) []int {
	back := make([]int, len(order))
	for i, place := range order {
		back[place] = i
	}
	return back
}

func flat(groups [][]int) []int { return slices.Concat(groups...) }
