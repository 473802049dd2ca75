package main

import (
	"errors"

	"github.com/dapr/durabletask-go/workflow"
)

// Activities has the bodies of the activities. Each changes one thing in the world, and can safely be executed again.
type Activities struct {
	Stock        Stock
	Providers    Providers
	SkipsRelease bool
}

// ReserveStock returns false if there is not enough stock.
func (a *Activities) ReserveStock(ctx workflow.ActivityContext) (any, error) {
	var order Order
	if err := ctx.GetInput(&order); err != nil {
		return nil, err
	}
	err := a.Stock.Reserve(ctx.Context(), order)
	if errors.Is(err, errInsufficient) {
		return false, nil
	}
	return err == nil, err
}

// Quote returns a provider's price in cents; nil if the provider does not answer.
func (a *Activities) Quote(ctx workflow.ActivityContext) (any, error) {
	var request QuoteRequest
	if err := ctx.GetInput(&request); err != nil {
		return nil, err
	}
	return a.Providers.Quote(ctx.Context(), request), nil
}

// RegisterShipment returns the shipment's id; nil if the provider refuses for good, so that no other try would help.
func (a *Activities) RegisterShipment(ctx workflow.ActivityContext) (any, error) {
	var shipping Shipping
	if err := ctx.GetInput(&shipping); err != nil {
		return nil, err
	}
	return a.Providers.Register(ctx.Context(), shipping)
}

// CancelShipment cancels the order's shipment, whether it was committed or not.
func (a *Activities) CancelShipment(ctx workflow.ActivityContext) (any, error) {
	var shipping Shipping
	if err := ctx.GetInput(&shipping); err != nil {
		return nil, err
	}
	return nil, a.Providers.Cancel(ctx.Context(), shipping)
}

// ReleaseStock releases what was reserved for the order.
func (a *Activities) ReleaseStock(ctx workflow.ActivityContext) (any, error) {
	var order Order
	if err := ctx.GetInput(&order); err != nil || a.SkipsRelease {
		return nil, err
	}
	return nil, a.Stock.Release(ctx.Context(), order)
}
