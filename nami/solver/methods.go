package solver

import "fmt"

// Euler is the method of order 1, with one evaluation of the field in each of the
// given number of steps. Where a diffusion is stepped in σ/α, it is DDIM (Song, Meng & Ermon
// 2021, arXiv:2010.02502, eq. 12 with σ = 0).
func Euler(steps int) Solver { return Solver{Method: EulerTableau, Steps: steps} }

// Midpoint is Runge's method of order 2, with two evaluations in each step.
func Midpoint(steps int) Solver { return Solver{Method: MidpointTableau, Steps: steps} }

// Heun is the explicit trapezoidal rule, of order 2, with two evaluations in each step. In
// the noise levels of EDM it is the deterministic sampler of Karras et al. 2022
// (arXiv:2206.00364, algorithm 1).
func Heun(steps int) Solver { return Solver{Method: HeunTableau, Steps: steps} }

// RK4 is Kutta's classical method of order 4, with four evaluations in each step.
func RK4(steps int) Solver { return Solver{Method: RK4Tableau, Steps: steps} }

// Bosh3 is the method of Bogacki and Shampine, of order 3 with an error estimate of
// order 2: three evaluations in each step, for low accuracy, with rtol from 1e-2 to 1e-3.
func Bosh3(rtol, atol float64) Solver {
	return Solver{Method: Bosh3Tableau, RTol: rtol, ATol: atol}
}

// Dopri5 is the method of Dormand and Prince, of order 5 with an error estimate of order
// 4: six evaluations in each step.
func Dopri5(rtol, atol float64) Solver {
	return Solver{Method: Dopri5Tableau, RTol: rtol, ATol: atol}
}

// Tsit5 is Tsitouras's method, of order 5 with an error estimate of order 4: six
// evaluations in each step, with smaller error constants than [Dopri5].
func Tsit5(rtol, atol float64) Solver {
	return Solver{Method: Tsit5Tableau, RTol: rtol, ATol: atol}
}

// LMS is the linear multistep method of the given order, from 1 to 4, on steps of any
// lengths, with one evaluation in each: the slopes of the last steps are extrapolated by a
// polynomial and integrated (Adams and Bashforth; Hairer, Nørsett & Wanner, III.5). The
// first steps have fewer slopes and are of lower order, which limits the order of convergence
// to 2 where they are as long as the others. In a diffusion's noise levels this is the method
// known there as LMS, or PLMS on even steps (Liu et al. 2022, arXiv:2202.09778, eq. 12).
func LMS(order, steps int) Solver { return Solver{Method: multistep{Slopes: order}, Steps: steps} }

// AdamsPEC is [LMS] of the given order, from 1 to 4, whose states are corrected once the slope at
// the end of a step is known, for the next step to start from: by the Adams–Moulton method of
// an order more (predict, evaluate, correct; Hairer, Nørsett & Wanner, III.1). It still takes
// one evaluation in each step, and is what [UniPC] is in the log-SNR. Its first step limits the
// order of convergence to 3.
func AdamsPEC(order, steps int) Solver {
	return Solver{Method: multistep{Slopes: order, Correct: true}, Steps: steps}
}

// DPM2 is DPM-Solver-2 in the noise levels of a diffusion, of order 2 with two evaluations
// in each step: the slope in the middle of the logarithms of the noise levels carries the
// whole step (Karras et al. 2022, arXiv:2206.00364, appendix D; Lu et al. 2022,
// arXiv:2206.00927).
func DPM2(steps int) Solver { return Solver{Method: dpm2{}, Steps: steps} }

// DPMSolverPP2S is DPM-Solver++(2S), of order 2 with two evaluations in each step: the data
// predicted in the middle of the step, as the log-SNR measures it, carries the whole step,
// and the rest of the equation, which is linear, is solved exactly (Lu et al. 2022,
// arXiv:2211.01095, algorithm 1 with r = ½).
func DPMSolverPP2S(steps int) Solver { return Solver{Method: dpmSolverPP2S{}, Steps: steps} }

// DPMSolverPP2M is DPM-Solver++(2M), of order 2 with one evaluation in each step: the
// predicted data is extrapolated from the last two steps, and the rest of the equation,
// which is linear, is solved exactly (Lu et al. 2022, arXiv:2211.01095, algorithm 2).
func DPMSolverPP2M(steps int) Solver { return exponentialSolver("DPMSolverPP2M", steps) }

// DPMSolverPP3M is DPM-Solver++ with the predicted data of the last three steps, whose
// polynomial in the log-SNR is integrated exactly, with one evaluation in each step (Lu et al.
// 2022, arXiv:2211.01095, section 4.2; Zhao et al. 2023, arXiv:2302.04867). Its first two steps
// are those of [DPMSolverPP2M], which limits the order of convergence to 2 where they are as
// long as the others.
func DPMSolverPP3M(steps int) Solver { return exponentialSolver("DPMSolverPP3M", steps) }

// DPMSolverPP2MSDE is SDE-DPM-Solver++(2M), for the reverse process of a diffusion, with one
// evaluation and one random number in each step: as [DPMSolverPP2M], with the noise of the
// step as a whole (Lu et al. 2022, arXiv:2211.01095, appendix B; midpoint rule). Its order is
// that of the mean and deviation of what it makes of normal data.
func DPMSolverPP2MSDE(steps int) Solver { return exponentialSolver("DPMSolverPP2MSDE", steps) }

// DPMSolverPP3MSDE is [DPMSolverPP2MSDE] with the predicted data of the last three steps.
func DPMSolverPP3MSDE(steps int) Solver { return exponentialSolver("DPMSolverPP3MSDE", steps) }

// DEIS is the exponential Adams–Bashforth method of the given number of predictions, 2 or 3,
// of a diffusion's noise: their polynomial in the log-SNR is integrated exactly over the
// noise levels, with one evaluation in each step (Zhang & Chen 2023, arXiv:2204.13902, section
// 3.3, with log σ/α in place of t). The first steps have fewer predictions, which limits the
// order of convergence to 2 where they are as long as the others. 1 would be [Euler] in the
// noise levels, and with σ/α itself in place of its logarithm it would be [LMS].
func DEIS(order, steps int) Solver { return exponentialSolver(fmt.Sprintf("DEIS%d", order), steps) }

// UniPC is the unified predictor-corrector of order 2 or 3 with one evaluation in each step:
// [DPMSolverPP2M] or [DPMSolverPP3M], whose states are corrected once the data predicted at
// the end of a step is known, for the next step to start from, by the polynomial that goes
// through it as well (Zhao et al. 2023, arXiv:2302.04867, with B₂(h) = exp(h) - 1). It converges
// with the order 3, which its first step limits.
func UniPC(order, steps int) Solver { return exponentialSolver(fmt.Sprintf("UniPC%d", order), steps) }

// UniPCB1 is [UniPC] with B₁(h) = h where a polynomial goes through two predictions alone; any
// other is the same for each B.
func UniPCB1(order, steps int) Solver {
	return exponentialSolver(fmt.Sprintf("UniPC%dB1", order), steps)
}

func exponentialSolver(scheme string, steps int) Solver {
	return Solver{Method: exponential{scheme}, Steps: steps}
}

// DDIM steps from one noise level to the next by the predicted data and noise, of which eta,
// from 0 to 1, says how much is new in each step: 0 is the deterministic DDIM, [Euler] in the
// noise levels, and 1 the ancestral step of DDPM (Song, Meng & Ermon 2021, arXiv:2010.02502,
// eq. 12 and 16). It is of order 1 with one evaluation in each step, and stochastic unless eta
// is 0.
func DDIM(eta float64, steps int) Solver { return Solver{Method: ddim{eta}, Steps: steps} }

// EulerMaruyama is y + f·h + g·ΔW, both taken at the beginning of the step, with one
// evaluation of the drift: of strong order 1 for additive noise, ½ where the diffusion
// depends on the state (Kloeden & Platen 1992, eq. 10.2.4).
func EulerMaruyama(steps int) Solver { return Solver{Method: anyNoise{"EulerMaruyama"}, Steps: steps} }

// StochasticHeun averages drift and diffusion over both ends of the step, the second
// reached by an Euler–Maruyama step: of strong order 1 for additive noise, with two
// evaluations in each step; of order 2 without noise (Rümelin 1982, SIAM J. Numer. Anal.
// 19, 604).
func StochasticHeun(steps int) Solver {
	return Solver{Method: stochastic{"StochasticHeun"}, Steps: steps}
}

// SRA1 is of strong order 1.5 for additive noise, and of order 2 without noise, with two
// evaluations in each step and two random numbers (Rößler 2010, SIAM J. Numer. Anal. 48,
// 922: the scheme SRA1).
func SRA1(steps int) Solver { return Solver{Method: stochastic{"SRA1"}, Steps: steps} }

// Milstein is Euler–Maruyama with the next term of the Itô–Taylor expansion,
//
//	½·g·∂g/∂y·(ΔW² - |h|),
//
// of strong order 1 for diagonal noise, where the diffusion of each value depends on that
// value alone; the derivative is taken by automatic differentiation (Kloeden & Platen 1992, eq.
// 10.3.1). With additive noise it is [EulerMaruyama].
func Milstein(steps int) Solver { return Solver{Method: anyNoise{"Milstein"}, Steps: steps} }
