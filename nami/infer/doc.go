// Package infer answers what the parameters of a simulator are, given an observation, and whether
// that answer can be trusted.
//
//	prior := infer.Independent{
//		{Name: "rate", Law: distuv.Uniform{Min: 0, Max: 10}},
//		{Name: "noise", Law: infer.LogUniform{Min: 0.01, Max: 1}},
//	}
//	simulations, err := infer.Simulate(ctx, prior, infer.Each(simulate), 10_000)
//	…
//	posterior, err := infer.NPE{}.Fit(ctx, backend, prior, simulations)
//	…
//	draws, err := posterior.Sample(ctx, observed, 10_000)
//
// [Simulate] draws parameters from the prior and runs the simulator on them, on all processors;
// [FromTable] takes simulations that exist already. [NPE] trains a conditional flow on the pairs of
// parameters and observations, neural posterior estimation by flow matching (Wildberger et al.
// 2023, arXiv:2305.17161). It learns the posteriors of all observations at once, so that a
// [Posterior] answers for one after the other without more training.
//
// For a review of the field see Cranmer, Brehmer & Louppe 2020, PNAS 117, 30055.
package infer
