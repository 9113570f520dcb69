package main

import (
	"strings"

	"github.com/nami-flow/go-nami/nami/field"

	"github.com/gomlx/gomlx/ml/model"
)

// unet is the tasks' network for images: 221,025 parameters.
var unet = field.UNet{EventShape: []int{8, 8, 1}}

// unetStore has the weights of the layers, in the order in which they are numbered.
func unetStore() (*model.Store, error) {
	store := model.NewStore()
	l := 0
	var err error
	add := func(path, kind string, dims ...int) {
		if err == nil {
			scope := store.RootScope().At("unet")
			for _, name := range append(strings.Split(path, "/"), kind) {
				scope = scope.At("%s", name)
			}
			err = setLayer(scope, l, dims...)
		}
		l++
	}
	block := func(path string, in, out int) {
		add(path+"/conv_0", "conv", 3, 3, in, out)
		add(path+"/embedding", "dense", 128, out)
		add(path+"/conv_1", "conv", 3, 3, out, out)
		if in != out {
			add(path+"/skip", "conv", 1, 1, in, out)
		}
	}
	add("embedding_0", "dense", 32, 128)
	add("embedding_1", "dense", 128, 128)
	add("in", "conv", 3, 3, 1, 32)
	block("down_0/block_0", 32, 32)
	block("down_0/block_1", 32, 32)
	add("halve_0", "conv", 3, 3, 32, 32)
	block("down_1/block_0", 32, 64)
	block("down_1/block_1", 64, 64)
	add("double_0", "conv", 3, 3, 64, 32)
	block("up_0/block_0", 64, 32)
	block("up_0/block_1", 32, 32)
	add("out", "conv", 3, 3, 32, 1)
	return store, err
}
