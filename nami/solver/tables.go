package solver

// EulerTableau is that of [Euler].
var EulerTableau = Tableau{
	Name: "Euler", Convergence: 1,
	C:     []float64{0},
	A:     [][]float64{{}},
	B:     []float64{1},
	Dense: [][]float64{{1}},
}

// MidpointTableau is that of [Midpoint] (Hairer, Nørsett & Wanner, eq. II.1.3).
var MidpointTableau = Tableau{
	Name: "Midpoint", Convergence: 2,
	C:     []float64{0, 1. / 2},
	A:     [][]float64{{}, {1. / 2}},
	B:     []float64{0, 1},
	Dense: [][]float64{{1, -1}, {0, 1}},
}

// HeunTableau is that of [Heun], the trapezoidal rule with an Euler predictor.
var HeunTableau = Tableau{
	Name: "Heun", Convergence: 2,
	C:     []float64{0, 1},
	A:     [][]float64{{}, {1}},
	B:     []float64{1. / 2, 1. / 2},
	Dense: [][]float64{{1, -1. / 2}, {0, 1. / 2}},
}

// RK4Tableau is that of [RK4] (Hairer, Nørsett & Wanner, table II.1.2), with the
// interpolant of order 3 that needs no other slope (the same, II.6).
var RK4Tableau = Tableau{
	Name: "RK4", Convergence: 4,
	C:     []float64{0, 1. / 2, 1. / 2, 1},
	A:     [][]float64{{}, {1. / 2}, {0, 1. / 2}, {0, 0, 1}},
	B:     []float64{1. / 6, 1. / 3, 1. / 3, 1. / 6},
	Dense: [][]float64{{1, -3. / 2, 2. / 3}, {0, 1, -2. / 3}, {0, 1, -2. / 3}, {0, -1. / 2, 2. / 3}},
}

// Bosh3Tableau is that of [Bosh3], the pair 3(2) of Bogacki & Shampine 1989 (Appl. Math.
// Lett. 2, 321).
var Bosh3Tableau = Tableau{
	Name: "Bosh3", Convergence: 3,
	C: []float64{0, 1. / 2, 3. / 4, 1},
	A: [][]float64{{}, {1. / 2}, {0, 3. / 4}, {2. / 9, 1. / 3, 4. / 9}},
	B: []float64{2. / 9, 1. / 3, 4. / 9, 0},

	EstimateOrder: 3,
	E:             []float64{-5. / 72, 1. / 12, 1. / 9, -1. / 8},
}

// Dopri5Tableau is that of [Dopri5], the pair 5(4) of Dormand & Prince 1980 (Hairer,
// Nørsett & Wanner, table II.5.2), with Shampine's interpolant of order 4 (the same, II.6).
var Dopri5Tableau = Tableau{
	Name: "Dopri5", Convergence: 5,
	C: []float64{0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1},
	A: [][]float64{
		{},
		{1. / 5},
		{3. / 40, 9. / 40},
		{44. / 45, -56. / 15, 32. / 9},
		{19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
		{9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
		{35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84},
	},
	B: []float64{35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84, 0},

	EstimateOrder: 5,
	E:             []float64{71. / 57600, 0, -71. / 16695, 71. / 1920, -17253. / 339200, 22. / 525, -1. / 40},
	Dense: [][]float64{
		{1, -8048581381. / 2820520608, 8663915743. / 2820520608, -12715105075. / 11282082432},
		{},
		{0, 131558114200. / 32700410799, -68118460800. / 10900136933, 87487479700. / 32700410799},
		{0, -1754552775. / 470086768, 14199869525. / 1410260304, -10690763975. / 1880347072},
		{0, 127303824393. / 49829197408, -318862633887. / 49829197408, 701980252875. / 199316789632},
		{0, -282668133. / 205662961, 2019193451. / 616988883, -1453857185. / 822651844},
		{0, 40617522. / 29380423, -110615467. / 29380423, 69997945. / 29380423},
	},
}

// Tsit5Tableau is that of [Tsit5], the pair 5(4) of Tsitouras 2011 (Comput. Math. Appl. 62,
// 770, table 1), with its interpolant of order 4.
var Tsit5Tableau = Tableau{
	Name: "Tsit5", Convergence: 5,
	C: []float64{0, 0.161, 0.327, 0.9, 0.9800255409045097, 1, 1},
	A: [][]float64{
		{},
		{0.161},
		{-0.008480655492356989, 0.335480655492357},
		{2.8971530571054935, -6.359448489975075, 4.3622954328695815},
		{5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525},
		{5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383},
		{0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774},
	},
	B: []float64{0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774, 0},

	EstimateOrder: 5,
	E: []float64{
		-0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995,
		-0.1447110071732629, 0.5823571654525552, -0.45808210592918697, 1. / 66,
	},
	Dense: [][]float64{
		quartic(-1.0530884977290216, 0, -1.3299890189751412, -1.4364028541716351, 0.7139816917074209),
		squared(0.1017, -2.1966568338249754, 1.2949852507374631),
		squared(2.490627285651252793, -2.38535645472061657, 1.57803468208092486),
		squared(-16.54810288924490272, -1.21712927295533244-0.61620406037800089, 1.21712927295533244*0.61620406037800089),
		squared(47.37952196281928122, -1.203071208372362603-0.658047292653547382, 1.203071208372362603*0.658047292653547382),
		squared(-34.87065786149660974, -1.2-0.666666666666666667, 1.2*0.666666666666666667),
		squared(2.5, -1.6, 0.6),
	},
}

// squared are the coefficients of θ to θ⁴ in scale·θ²·(θ² + p·θ + q).
func squared(scale, p, q float64) []float64 { return []float64{0, scale * q, scale * p, scale} }

// quartic are those of scale·θ·(θ + r)·(θ² + p·θ + q) + first·θ.
func quartic(scale, first, r, p, q float64) []float64 {
	return []float64{first + scale*r*q, scale * (q + r*p), scale * (p + r), scale}
}
