// Package tools pins the programs that the notebook kernel runs: a module of its own,
// so that who imports nami doesn't inherit what they need.
package tools
