// Orders is the worker of the order workflow, on Dapr's Go SDK. Its sidecar starts the orders: it has no route of its own.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/dapr/durabletask-go/workflow"
	dapr "github.com/dapr/go-sdk/client"
)

func main() {
	defect := os.Getenv("DEFECT")

	client, err := dapr.NewClient()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	worker, err := dapr.NewWorkflowClient()
	if err != nil {
		log.Fatal(err)
	}

	activities := &Activities{
		Stock:        Stock{Client: client, Store: "statestore", Unguarded: defect == lostUpdate},
		Providers:    Providers{URL: os.Getenv("PROVIDER_URL"), NewKeys: defect == doubleShip},
		SkipsRelease: defect == skipRelease,
	}
	registry := workflow.NewRegistry()
	if err := register(registry, activities, marks[defect]); err != nil {
		log.Fatal(err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := worker.StartWorker(ctx, registry); err != nil {
		log.Fatal(err)
	}
	<-ctx.Done()
}

func register(registry *workflow.Registry, activities *Activities, mark func() any) error {
	if err := registry.AddWorkflowN("order_v1", orderV1(mark)); err != nil {
		return err
	}
	for name, activity := range map[string]workflow.Activity{
		reserveStock:     activities.ReserveStock,
		quote:            activities.Quote,
		registerShipment: activities.RegisterShipment,
		cancelShipment:   activities.CancelShipment,
		releaseStock:     activities.ReleaseStock,
	} {
		if err := registry.AddActivityN(name, activity); err != nil {
			return err
		}
	}
	return nil
}
