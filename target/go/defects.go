package main

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Defects that can be planted: the variable DEFECT names one. Without it there is none.
const (
	doubleShip  = "double_ship"
	skipRelease = "skip_release"
	lostUpdate  = "lost_update"
)

var counter atomic.Int64

// marks are what four more defects take into what the workflow orders, each time that its code is executed.
var marks = map[string]func() any{
	"random_number":  func() any { return rand.Int() },
	"clock":          func() any { return time.Now().UnixNano() },
	"global_counter": func() any { return counter.Add(1) },
	"map_order":      func() any { return anyOrder(map[string]bool{"a": true, "b": true, "c": true, "d": true}) },
}

func anyOrder(set map[string]bool) (names []string) {
	for name := range set {
		names = append(names, name)
	}
	return names
}
