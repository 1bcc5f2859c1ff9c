package order

import (
	"context"
	"errors"
	"fmt"
)

// ErrInterrupted is in the chain of the error of a run that a signal or a deadline ended.
var ErrInterrupted = errors.New("interrupted")

// Interruption says what ended ctx: "was it our time-out?" is asked of the run's record (rule 10).
func Interruption(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ErrInterrupted, context.Cause(ctx))
}
