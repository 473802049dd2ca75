package main

import (
	"time"

	"github.com/dapr/durabletask-go/workflow"
)

const (
	reserveStock     = "reserve_stock_v1"
	quote            = "quote_v1"
	registerShipment = "register_shipment_v1"
	cancelShipment   = "cancel_shipment_v1"
	releaseStock     = "release_stock_v1"
)

// How often all providers are asked for a price, and how long to wait in between.
const (
	rounds = 10
	pause  = time.Second
)

var providers = []string{"heron", "kestrel", "swift"}

// Order is what a client asks for. Its ID is also the id of its workflow instance.
type Order struct {
	ID       string `json:"order_id"`
	Kind     string `json:"kind"`
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// QuoteRequest asks one provider for its price.
type QuoteRequest struct {
	Order
	Provider string `json:"provider"`
	Mark     any    `json:"mark,omitempty"`
}

// Shipping is an order together with the provider that ships it, and the price in cents.
type Shipping struct {
	Order
	Provider string `json:"provider"`
	Price    int    `json:"price"`
}

// Result is how an order ended. A provider that gave no price has none in Quotes.
type Result struct {
	Outcome  string          `json:"outcome"`
	ID       string          `json:"order_id"`
	SKU      string          `json:"sku"`
	Quantity int             `json:"quantity"`
	Quotes   map[string]*int `json:"quotes"`
	Provider *string         `json:"provider"`
	Shipment *string         `json:"shipment"`
	Reason   string          `json:"reason,omitempty"`
}

// orderV1 returns the order workflow. It reserves stock, asks all providers for a price at once, and ships with the
// cheapest. What was done is compensated if the order cannot be shipped. A mark makes its code nondeterministic.
func orderV1(mark func() any) workflow.Workflow {
	return func(ctx *workflow.WorkflowContext) (any, error) {
		var order Order
		if err := ctx.GetInput(&order); err != nil {
			return nil, err
		}
		result := Result{ID: order.ID, SKU: order.SKU, Quantity: order.Quantity, Quotes: map[string]*int{}}

		var reserved bool
		if err := ctx.CallActivity(reserveStock, input(order), retry(store)).Await(&reserved); err != nil {
			// A try whose answer was lost may still have reserved the stock.
			return compensated(ctx, order, nil, result, "given up on the stock")
		}
		if !reserved {
			result.Outcome, result.Reason = "rejected", "insufficient stock"
			return result, nil
		}

		quotes, err := ask(ctx, order, mark)
		if err != nil {
			return nil, err
		}
		result.Quotes = quotes
		best, price := cheapest(quotes)
		if best == "" {
			return compensated(ctx, order, nil, result, "no provider answered")
		}

		result.Provider = &best
		shipping := Shipping{Order: order, Provider: best, Price: price}
		err = ctx.CallActivity(registerShipment, input(shipping), retry(provider)).Await(&result.Shipment)
		if err != nil {
			return compensated(ctx, order, &shipping, result, "given up on the provider")
		}
		if result.Shipment == nil {
			return compensated(ctx, order, &shipping, result, "refused by the provider")
		}
		result.Outcome = "completed"
		return result, nil
	}
}

// ask returns each provider's price in cents, nil for one that did not answer. If none answers, all are asked again.
func ask(ctx *workflow.WorkflowContext, order Order, mark func() any) (map[string]*int, error) {
	quotes := map[string]*int{}
	for round := range rounds {
		if round > 0 {
			if err := ctx.CreateTimer(pause).Await(nil); err != nil {
				return nil, err
			}
		}
		asked := make([]workflow.Task, len(providers))
		for i, name := range providers {
			request := QuoteRequest{Order: order, Provider: name}
			if mark != nil {
				request.Mark = mark()
			}
			asked[i] = ctx.CallActivity(quote, input(request))
		}
		for i, name := range providers {
			var price *int
			if err := asked[i].Await(&price); err != nil {
				return nil, err
			}
			quotes[name] = price
		}
		if best, _ := cheapest(quotes); best != "" {
			break
		}
	}
	return quotes, nil
}

// cheapest returns the provider with the lowest price, the first by name if prices are equal, or "" if there is none.
func cheapest(quotes map[string]*int) (best string, lowest int) {
	for _, name := range providers {
		if price := quotes[name]; price != nil && (best == "" || *price < lowest) {
			best, lowest = name, *price
		}
	}
	return best, lowest
}

// compensated undoes an order. The shipment may have been committed although its answer was lost. It is cancelled
// before the stock is released: otherwise it could leave when its stock is already reserved for another order.
func compensated(ctx *workflow.WorkflowContext, order Order, shipping *Shipping, result Result, why string) (any, error) {
	if shipping != nil {
		if err := ctx.CallActivity(cancelShipment, input(*shipping), retry(compensation)).Await(nil); err != nil {
			return nil, err
		}
	}
	if err := ctx.CallActivity(releaseStock, input(order), retry(compensation)).Await(nil); err != nil {
		return nil, err
	}
	result.Outcome, result.Reason = "compensated", why
	return result, nil
}

// The store may be away for some seconds, so a call is tried again at a constant interval, for half a minute.
var store = workflow.RetryPolicy{InitialRetryInterval: 500 * time.Millisecond, MaxAttempts: 60}

// A provider in trouble gets more and more time: the waits are 0.3, 0.6, 1.2 and 2 s.
var provider = workflow.RetryPolicy{
	InitialRetryInterval: 300 * time.Millisecond,
	MaxAttempts:          5,
	BackoffCoefficient:   2,
	MaxRetryInterval:     2 * time.Second,
}

// If a compensation were given up, it would be left half done.
var compensation = workflow.RetryPolicy{InitialRetryInterval: time.Second, MaxAttempts: 600}

// retry passes a copy on, because the SDK writes its defaults into the policy that it is given.
func retry(policy workflow.RetryPolicy) workflow.CallActivityOption {
	return workflow.WithActivityRetryPolicy(&policy)
}

func input(value any) workflow.CallActivityOption {
	return workflow.WithActivityInput(value)
}
