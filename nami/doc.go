// Package nami trains and samples flow-matching models on GoMLX.
//
// Conventions. A tensor's shape is sample_shape + batch_shape + event_shape; a field
// says how many trailing axes make one event. t=0 is the target (data), t=1 the
// source (noise): sampling integrates from 1 to 0. A model is configuration; [FlowMatching.Bind]
// gives it a context and makes a [Process], which samples. Nothing is broadcast in
// silence.
//
// Two levels. What takes a *graph.Node builds a graph, composes with the user's own
// layers and panics on misuse, as GoMLX's functions do. What takes tensors runs at
// once, returns errors and never panics.
package nami
