package main

import "github.com/anishathalye/porcupine"

// A row of the evidence as an input of the model: what it tells, and of which effect or task.
type row struct {
	what  what
	which uint8
}

type what uint8

const (
	asked          what = iota // a call that was not refused, from when it was sent until it was answered
	refused                    // a call that was answered with a no
	turn                       // workflowStarted, and other events that say nothing of tasks
	created                    // executionStarted
	scheduled                  // a task or a timer was ordered; which: its id
	resolved                   // it has its result; which: its id
	ended                      // executionCompleted
	body                       // an activity's body, from its start to its end
	forward                    // an effect; which: its pair
	compensation               // the effect that undoes it; which: its pair
	over                       // the instance as it was found at the end; which: how it says that it ended
	overUnanswered             // the same of one of which no client was told yes
)

// How an instance ends; nothing stands for one that the engine does not have, or that has not ended.
const (
	nothing uint8 = iota
	completed
	compensated
	rejected
)

const reserve, ship, pairs = 0, 1, 2

// What one order has come to. Tasks and effects are sets, one bit each.
type order struct {
	asked, created, ended bool
	done, undone          uint8
	scheduled, resolved   uint64
}

// Each forward effect once and in order, each compensation once and after its forward, nothing before the start or after
// the end, each task ordered once and resolved at most once, and an end that fits the effects.
var model = porcupine.Model{
	Init: func() interface{} { return order{} },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		return step(state.(order), input.(row))
	},
}

func step(o order, in row) (bool, interface{}) {
	bit, pair := uint64(1)<<in.which, uint8(1)<<in.which
	fits := o.created
	switch in.what {
	case asked:
		fits, o.asked = true, true
	case refused:
		fits = true
	case turn, body:
	case created:
		fits, o.created = o.asked && !o.created, true
	case scheduled:
		fits, o.scheduled = fits && !o.ended && o.scheduled&bit == 0, o.scheduled|bit
	case resolved:
		fits, o.resolved = fits && !o.ended && o.resolved&bit == 0, o.resolved|bit
	case ended:
		fits, o.ended = fits && !o.ended, true
	case forward:
		fits, o.done = fits && !o.ended && o.undone == 0 && o.done == pair-1, o.done|pair
	case compensation:
		fits, o.undone = fits && !o.ended && o.done&pair != 0 && o.undone&pair == 0, o.undone|pair
	case over, overUnanswered:
		fits = o.resolved&^o.scheduled == 0 && endsAs(o, in)
	}
	return fits, o
}

func endsAs(o order, in row) bool {
	switch in.which {
	case completed:
		return o.ended && o.done == 1<<reserve|1<<ship && o.undone == 0
	case compensated:
		return o.ended && o.done&(1<<reserve) != 0 && o.done == o.undone
	case rejected:
		return o.ended && o.done == o.undone
	default:
		return in.what == overUnanswered && !o.created && o.done == 0
	}
}
