package solver

// tableau is an explicit Runge–Kutta method in Butcher's form. Row i of a holds
// the weights of the slopes 0..i-1 in stage i, which is taken at the fraction c[i]
// of the step; b weighs the slopes in the step.
type tableau struct {
	name  string
	order int
	c     []float64
	a     [][]float64
	b     []float64
}

var euler = tableau{
	name:  "Euler",
	order: 1,
	c:     []float64{0},
	a:     [][]float64{{}},
	b:     []float64{1},
}

// midpoint is Runge's method (Hairer, Nørsett & Wanner, eq. II.1.3).
var midpoint = tableau{
	name:  "Midpoint",
	order: 2,
	c:     []float64{0, 1. / 2},
	a:     [][]float64{{}, {1. / 2}},
	b:     []float64{0, 1},
}

// heun is the trapezoidal rule with an Euler predictor.
var heun = tableau{
	name:  "Heun",
	order: 2,
	c:     []float64{0, 1},
	a:     [][]float64{{}, {1}},
	b:     []float64{1. / 2, 1. / 2},
}

// rk4 is Kutta's classical method (Hairer, Nørsett & Wanner, table II.1.2).
var rk4 = tableau{
	name:  "RK4",
	order: 4,
	c:     []float64{0, 1. / 2, 1. / 2, 1},
	a:     [][]float64{{}, {1. / 2}, {0, 1. / 2}, {0, 0, 1}},
	b:     []float64{1. / 6, 1. / 3, 1. / 3, 1. / 6},
}
