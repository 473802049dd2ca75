package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	storeTimeout = 10 * time.Second
	saves        = 40
)

var errInsufficient = errors.New("there is not enough stock")

// Document is the stock of one SKU, with everything that ever moved it. Closed has the orders that reserve nothing more.
type Document struct {
	SKU       string     `json:"sku"`
	Initial   int        `json:"initial"`
	Available int        `json:"available"`
	Movements []Movement `json:"movements"`
	Closed    []string   `json:"closed"`
}

// Movement is one change of a stock.
type Movement struct {
	Order      string     `json:"instance_id"`
	Effect     string     `json:"effect"`
	Key        string     `json:"key"`
	At         int64      `json:"at_ns"`
	Attributes Attributes `json:"attributes"`
}

// Attributes are the units that a movement moved, and the stock after it.
type Attributes struct {
	Quantity  int `json:"quantity"`
	Available int `json:"available"`
	Initial   int `json:"initial"`
}

// Stock is the stock of every SKU, in a state store of Dapr. Unguarded plants the defect lost_update.
type Stock struct {
	Client    dapr.Client
	Store     string
	Unguarded bool
}

// Reserve takes an order's quantity out of stock, once, however often it is called.
func (s Stock) Reserve(ctx context.Context, order Order) error {
	return s.change(ctx, order.SKU, func(document *Document) (bool, error) {
		if document.find(order.ID, "reserve") != nil || slices.Contains(document.Closed, order.ID) {
			return false, nil
		}
		if document.Available < order.Quantity {
			return false, errInsufficient
		}
		document.move(order.ID, "reserve", -order.Quantity)
		return true, nil
	})
}

// Release puts back what was reserved for an order, once. If nothing was, nothing can be reserved for it any more.
func (s Stock) Release(ctx context.Context, order Order) error {
	return s.change(ctx, order.SKU, func(document *Document) (bool, error) {
		if document.find(order.ID, "release") != nil || slices.Contains(document.Closed, order.ID) {
			return false, nil
		}
		if reserved := document.find(order.ID, "reserve"); reserved != nil {
			document.move(order.ID, "release", reserved.Attributes.Quantity)
		} else {
			document.Closed = append(document.Closed, order.ID)
		}
		return true, nil
	})
}

// change reads the document of a SKU, lets change alter it, and saves it with its etag. If somebody else has saved it
// meanwhile, it begins again.
func (s Stock) change(ctx context.Context, sku string, change func(*Document) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for range saves {
		item, err := s.Client.GetState(ctx, s.Store, "stock-"+sku, nil)
		if err != nil {
			return err
		}
		document := newDocument(sku)
		if len(item.Value) > 0 {
			if err := json.Unmarshal(item.Value, document); err != nil {
				return err
			}
		}
		changed, err := change(document)
		if err != nil || !changed {
			return err
		}
		err = s.save(ctx, document, item.Etag)
		if status.Code(err) != codes.Aborted { // the etag is not the current one
			return err
		}
		time.Sleep(rand.N(30 * time.Millisecond))
	}
	return fmt.Errorf("others saved the stock of %s first, %d times", sku, saves)
}

func (s Stock) save(ctx context.Context, document *Document, etag string) error {
	data, err := json.Marshal(document)
	if err != nil {
		return err
	}
	key := "stock-" + document.SKU
	if s.Unguarded {
		time.Sleep(250 * time.Millisecond)
		return s.Client.SaveState(ctx, s.Store, key, data, nil)
	}
	return s.Client.SaveStateWithETag(ctx, s.Store, key, data, etag, nil,
		dapr.WithConcurrency(dapr.StateConcurrencyFirstWrite), dapr.WithConsistency(dapr.StateConsistencyStrong))
}

func newDocument(sku string) *Document {
	units := 1_000_000
	if strings.HasPrefix(sku, "scarce-") {
		units = 3
	}
	return &Document{SKU: sku, Initial: units, Available: units, Movements: []Movement{}, Closed: []string{}}
}

func (d *Document) find(order, effect string) *Movement {
	for i := range d.Movements {
		if d.Movements[i].Order == order && d.Movements[i].Effect == effect {
			return &d.Movements[i]
		}
	}
	return nil
}

func (d *Document) move(order, effect string, units int) {
	d.Available += units
	d.Movements = append(d.Movements, Movement{
		Order:      order,
		Effect:     effect,
		Key:        order + "/" + effect,
		At:         time.Now().UnixNano(),
		Attributes: Attributes{Quantity: max(units, -units), Available: d.Available, Initial: d.Initial},
	})
}
