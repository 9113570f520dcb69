package embedding_test

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/embedding"
	"github.com/nami-flow/go-nami/nami/field"
)

// A class and a time series as one context: the class stands in front, with a 1 before it where
// it is known and a 0 where it isn't.
func ExampleParts() {
	condition := embedding.Parts{
		{Of: embedding.Classes{Count: 3, Values: 4}, Optional: true},
		{Of: embedding.Series{Length: 100, Channels: 2, Values: 16}},
	}
	velocity := field.Embedded{
		Field:     field.Residual{EventShape: []int{5}, ContextDim: condition.Size()},
		Embedding: condition,
	}
	fmt.Println(condition.ContextShape(), condition.Size(), field.Validate(velocity))
	// Output: [202] 20 <nil>
}
