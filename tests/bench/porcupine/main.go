// Checks each order of a run's evidence with Porcupine: one history an order, one operation a row.
//
//	porcupine EVIDENCE
//
// EVIDENCE is the folder of Parquet files. It prints one JSON object: orders, rows, orders that are `illegal`, and the
// seconds that reading and checking took.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/parquet-go/parquet-go"
)

const never = math.MaxInt64

type operation struct {
	Instance  string `parquet:"instance_id"`
	Invoked   int64  `parquet:"invoked_ns"`
	Completed *int64 `parquet:"completed_ns,optional"`
	Outcome   string `parquet:"outcome"`
}

type attempt struct {
	Instance string `parquet:"instance_id"`
	Started  int64  `parquet:"started_ns"`
	Ended    *int64 `parquet:"ended_ns,optional"`
}

type effect struct {
	Instance string `parquet:"instance_id"`
	Effect   string `parquet:"effect"`
	At       int64  `parquet:"at_ns"`
}

type instance struct {
	Instance string  `parquet:"instance_id"`
	Status   string  `parquet:"status"`
	Outcome  *string `parquet:"outcome,optional"`
}

type event struct {
	Instance string `parquet:"instance_id"`
	Event    string `parquet:"event"`
	At       int64  `parquet:"at_ns"`
	Task     *int32 `parquet:"task_id,optional"`
}

var effects = map[string]row{
	"reserve": {forward, reserve},
	"release": {compensation, reserve},
	"ship":    {forward, ship},
	"cancel":  {compensation, ship},
}

var outcomes = map[string]uint8{"completed": completed, "compensated": compensated, "rejected": rejected}

var events = map[string]what{
	"executionStarted":   created,
	"taskScheduled":      scheduled,
	"timerCreated":       scheduled,
	"taskCompleted":      resolved,
	"taskFailed":         resolved,
	"timerFired":         resolved,
	"executionCompleted": ended,
}

// A history is what is known of one order.
type history struct {
	operations []porcupine.Operation
	accepted   bool
	end        uint8
}

func (h *history) add(what what, which uint8, call, end int64) {
	h.operations = append(h.operations, porcupine.Operation{Input: row{what, which}, Call: call, Return: end})
}

// The evidence of all orders, by instance id.
type evidence map[string]*history

func (all evidence) of(instance string) *history {
	found := all[instance]
	if found == nil {
		found = &history{}
		all[instance] = found
	}
	return found
}

func main() {
	began := time.Now()
	all, rows := read(os.Args[1])
	ready := time.Now()
	illegal := check(all)
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{
		"orders":  len(all),
		"rows":    rows,
		"illegal": illegal,
		"read_s":  ready.Sub(began).Seconds(),
		"check_s": time.Since(ready).Seconds(),
	}); err != nil {
		log.Fatal(err)
	}
}

func read(folder string) (evidence, int) {
	all := evidence{}
	rows := each(folder, "operations", func(o operation) {
		of := all.of(o.Instance)
		of.accepted = of.accepted || o.Outcome == "ok"
		if o.Outcome == "fail" {
			of.add(refused, 0, o.Invoked, orNever(o.Completed))
		} else if o.Outcome == "ok" {
			of.add(asked, 0, o.Invoked, orNever(o.Completed))
		} else {
			of.add(asked, 0, o.Invoked, never)
		}
	})
	rows += each(folder, "attempts", func(a attempt) {
		all.of(a.Instance).add(body, 0, a.Started, orNever(a.Ended))
	})
	rows += each(folder, "effects", func(e effect) {
		known, ok := effects[e.Effect]
		if !ok {
			log.Fatalf("no such effect: %s", e.Effect)
		}
		all.of(e.Instance).add(known.what, known.which, e.At, e.At)
	})
	rows += each(folder, "history", func(e event) {
		what, task := turn, uint8(0)
		if known, ok := events[e.Event]; ok {
			what = known
		}
		if what == scheduled || what == resolved {
			if e.Task == nil || *e.Task < 0 || *e.Task > 63 {
				log.Fatalf("%s: a task id that does not fit 64 bits", e.Instance)
			}
			task = uint8(*e.Task)
		}
		all.of(e.Instance).add(what, task, e.At, e.At)
	})
	rows += each(folder, "instances", func(i instance) {
		if i.Status == "COMPLETED" && i.Outcome != nil {
			all.of(i.Instance).end = outcomes[*i.Outcome]
		}
	})
	for _, history := range all {
		last := overUnanswered
		if history.accepted {
			last = over
		}
		history.add(last, history.end, never, never)
	}
	return all, rows
}

func orNever(at *int64) int64 {
	if at == nil {
		return never
	}
	return *at
}

// each calls seen with every row of a table, and returns how many there are.
func each[T any](folder, table string, seen func(T)) int {
	file, err := os.Open(filepath.Join(folder, table+".parquet"))
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	reader := parquet.NewGenericReader[T](file)
	defer reader.Close()
	rows, batch := 0, make([]T, 4096)
	for {
		count, err := reader.Read(batch)
		for _, row := range batch[:count] {
			seen(row)
		}
		rows += count
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

// check tells how many orders are illegal. A worker a core takes one order after the other: of a history in partitions
// Porcupine says only whether all of them are legal, and it makes a goroutine of each at once.
func check(all evidence) int64 {
	var illegal atomic.Int64
	var workers sync.WaitGroup
	next := make(chan *history, 1024)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for one := range next {
				if !porcupine.CheckOperations(model, one.operations) {
					illegal.Add(1)
				}
			}
		})
	}
	for _, one := range all {
		next <- one
	}
	close(next)
	workers.Wait()
	return illegal.Load()
}
