package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	quoteTimeout    = time.Second
	providerTimeout = 3 * time.Second
)

// Providers are the logistics providers, over HTTP. NewKeys plants the defect double_ship.
type Providers struct {
	URL     string
	NewKeys bool
}

// Quote returns the price in cents that a provider asks for; nil if it gives none in time.
func (p Providers) Quote(ctx context.Context, request QuoteRequest) *int {
	query := url.Values{"order_id": {request.ID}, "quantity": {strconv.Itoa(request.Quantity)}}
	path := fmt.Sprintf("/providers/%s/quote?%s", request.Provider, query.Encode())
	var answer struct {
		Price *int `json:"price"`
	}
	code, err := p.call(ctx, quoteTimeout, http.MethodGet, path, "", nil, &answer)
	if err != nil || code != http.StatusOK {
		return nil
	}
	return answer.Price
}

// Register registers a shipment and returns its id, which is the same for every try; nil if the provider refuses for
// good.
func (p Providers) Register(ctx context.Context, shipping Shipping) (*string, error) {
	key := shipping.ID + "/ship"
	if p.NewKeys {
		key += "/" + rand.Text()
	}
	var answer struct {
		Shipment *string `json:"shipment"`
	}
	path := fmt.Sprintf("/providers/%s/shipments", shipping.Provider)
	code, err := p.call(ctx, providerTimeout, http.MethodPost, path, key, shipping, &answer)
	switch {
	case err != nil:
		return nil, err
	case code == http.StatusUnprocessableEntity || code == http.StatusGone:
		return nil, nil
	case code != http.StatusOK:
		return nil, fmt.Errorf("%s answered %d", shipping.Provider, code)
	}
	return answer.Shipment, nil
}

// Cancel cancels an order's shipment. From then on it cannot be committed.
func (p Providers) Cancel(ctx context.Context, shipping Shipping) error {
	path := fmt.Sprintf("/providers/%s/shipments/%s", shipping.Provider, url.PathEscape(shipping.ID))
	code, err := p.call(ctx, providerTimeout, http.MethodDelete, path, "", nil, nil)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%s answered %d", shipping.Provider, code)
	}
	return err
}

// call sends a request, decodes the answer into answer if it is 200, and returns its status.
func (p Providers) call(ctx context.Context, timeout time.Duration, method, path, key string, body, answer any) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return 0, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, p.URL+path, &content)
	if err != nil {
		return 0, err
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if answer == nil || response.StatusCode != http.StatusOK {
		return response.StatusCode, nil
	}
	return response.StatusCode, json.NewDecoder(response.Body).Decode(answer)
}
