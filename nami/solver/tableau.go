package solver

// tableau is an explicit Runge–Kutta method in Butcher's form. Row i of a holds
// the weights of the slopes 0..i-1 in stage i, which is taken at the fraction c[i]
// of the step; b weighs the slopes in the step.
//
// An embedded method has an error estimate too, in which e weighs the slopes and which
// falls as h^errorOrder. Its last row of a is b and its last c is 1, so that the last
// slope is the first one of the next step.
type tableau struct {
	name  string
	order int
	c     []float64
	a     [][]float64
	b     []float64

	errorOrder int
	e          []float64
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

// bosh3 is the pair 3(2) of Bogacki & Shampine 1989 (Appl. Math. Lett. 2, 321).
var bosh3 = tableau{
	name:  "Bosh3",
	order: 3,
	c:     []float64{0, 1. / 2, 3. / 4, 1},
	a:     [][]float64{{}, {1. / 2}, {0, 3. / 4}, {2. / 9, 1. / 3, 4. / 9}},
	b:     []float64{2. / 9, 1. / 3, 4. / 9, 0},

	errorOrder: 3,
	e:          []float64{-5. / 72, 1. / 12, 1. / 9, -1. / 8},
}

// dopri5 is the pair 5(4) of Dormand & Prince 1980 (Hairer, Nørsett & Wanner, table
// II.5.2).
var dopri5 = tableau{
	name:  "Dopri5",
	order: 5,
	c:     []float64{0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1},
	a: [][]float64{
		{},
		{1. / 5},
		{3. / 40, 9. / 40},
		{44. / 45, -56. / 15, 32. / 9},
		{19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
		{9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
		{35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84},
	},
	b: []float64{35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84, 0},

	errorOrder: 5,
	e:          []float64{71. / 57600, 0, -71. / 16695, 71. / 1920, -17253. / 339200, 22. / 525, -1. / 40},
}

// tsit5 is the pair 5(4) of Tsitouras 2011 (Comput. Math. Appl. 62, 770, table 1).
var tsit5 = tableau{
	name:  "Tsit5",
	order: 5,
	c:     []float64{0, 0.161, 0.327, 0.9, 0.9800255409045097, 1, 1},
	a: [][]float64{
		{},
		{0.161},
		{-0.008480655492356989, 0.335480655492357},
		{2.8971530571054935, -6.359448489975075, 4.3622954328695815},
		{5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525},
		{5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383},
		{0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774},
	},
	b: []float64{0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774, 0},

	errorOrder: 5,
	e: []float64{
		-0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995,
		-0.1447110071732629, 0.5823571654525552, -0.45808210592918697, 1. / 66,
	},
}
