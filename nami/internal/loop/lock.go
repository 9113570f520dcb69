package loop

import (
	"runtime"
	"sync"
	"weak"

	"github.com/gomlx/gomlx/ml/model"
)

// locks are those of the stores that are alive.
var locks sync.Map // of weak.Pointer[model.Store] to *sync.Mutex

// lock locks a store, and returns what unlocks it. It guards the graphs under construction:
// building one may add variables to the store, and one store may serve several programs.
func lock(store *model.Store) (unlock func()) {
	key := weak.Make(store)
	held, known := locks.LoadOrStore(key, new(sync.Mutex))
	if !known {
		runtime.AddCleanup(store, func(key weak.Pointer[model.Store]) { locks.Delete(key) }, key)
	}
	held.(*sync.Mutex).Lock()
	return held.(*sync.Mutex).Unlock
}

// Exclusively runs f while no graph over the store is being built.
func Exclusively(store *model.Store, f func() error) error {
	defer lock(store)()
	return f()
}
