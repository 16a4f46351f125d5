package emr

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/emr"
	"github.com/aws/aws-sdk-go-v2/service/emr/types"
)

// steps are those of a running cluster.
type steps struct {
	c   Config
	api *emr.Client
}

func openSteps(ctx context.Context, c Config) (service, error) {
	cfg, err := settings(ctx, c)
	if err != nil {
		return nil, err
	}
	return &steps{c, emr.NewFromConfig(cfg)}, nil
}

func (*steps) again() bool { return false }

func once(o *emr.Options) { o.Retryer = aws.NopRetryer{} }

// step is spark-submit in the cluster, through EMR's command runner.
func step(c Config, s Submission) types.StepConfig {
	args := append([]string{"spark-submit", "--deploy-mode", "cluster"}, parameters(c, s, c.Jars)...)
	return types.StepConfig{
		Name: aws.String(s.name()), ActionOnFailure: types.ActionOnFailureContinue,
		HadoopJarStep: &types.HadoopJarStepConfig{Jar: aws.String("command-runner.jar"), Args: append(append(args, s.Script), s.Args...)},
	}
}

func (e *steps) input(s Submission) *emr.AddJobFlowStepsInput {
	return &emr.AddJobFlowStepsInput{JobFlowId: aws.String(e.c.Cluster.ID), Steps: []types.StepConfig{step(e.c, s)}}
}

func (e *steps) request(s Submission) any { return e.input(s) }

func (e *steps) start(ctx context.Context, s Submission) (Handle, error) {
	out, err := e.api.AddJobFlowSteps(ctx, e.input(s), once)
	if err != nil {
		return Handle{}, fmt.Errorf("EMR: %w", err)
	}
	if len(out.StepIds) != 1 {
		return Handle{}, fmt.Errorf("EMR: cluster %s answered with %d steps, one was expected", e.c.Cluster.ID, len(out.StepIds))
	}
	return Handle{In: e.c.Cluster.ID, ID: out.StepIds[0]}, nil
}

// find looks through the steps, which EMR lists with the newest first.
func (e *steps) find(ctx context.Context, s Submission, since time.Time) (Handle, bool, error) {
	return findStep(ctx, e.api, e.c.Cluster.ID, s, since)
}

func findStep(ctx context.Context, api *emr.Client, cluster string, s Submission, since time.Time) (Handle, bool, error) {
	pages := emr.NewListStepsPaginator(api, &emr.ListStepsInput{ClusterId: &cluster})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil {
			return Handle{}, false, fmt.Errorf("EMR: %w", err)
		}
		for _, st := range p.Steps {
			if aws.ToString(st.Name) == s.name() {
				return Handle{In: cluster, ID: aws.ToString(st.Id)}, true, nil
			}
			if t := st.Status.Timeline; t != nil && t.CreationDateTime != nil && t.CreationDateTime.Before(since.Add(-clockSkew)) {
				return Handle{}, false, nil
			}
		}
	}
	return Handle{}, false, nil
}

func (e *steps) status(ctx context.Context, h Handle) (Status, error) {
	return stepStatus(ctx, e.api, h)
}

func stepStatus(ctx context.Context, api *emr.Client, h Handle) (Status, error) {
	out, err := api.DescribeStep(ctx, &emr.DescribeStepInput{ClusterId: &h.In, StepId: &h.ID})
	if err != nil {
		return Status{}, fmt.Errorf("EMR: %w", err)
	}
	return stateOf(out.Step.Status), nil
}

func stateOf(s *types.StepStatus) Status {
	st := Status{State: Waiting}
	if f := s.FailureDetails; f != nil {
		st.Detail = aws.ToString(f.Message)
		if st.Detail == "" {
			st.Detail = aws.ToString(f.Reason)
		}
	} else if r := s.StateChangeReason; r != nil {
		st.Detail = aws.ToString(r.Message)
	}
	switch s.State {
	case types.StepStateRunning, types.StepStateCancelPending:
		st.State = Running
	case types.StepStateCompleted:
		st.State = Succeeded
	case types.StepStateFailed, types.StepStateInterrupted:
		st.State = Failed
	case types.StepStateCancelled:
		st.State = Cancelled
	}
	return st
}

func (e *steps) cancel(ctx context.Context, h Handle) error {
	out, err := e.api.CancelSteps(ctx, &emr.CancelStepsInput{ClusterId: &h.In, StepIds: []string{h.ID}, StepCancellationOption: types.StepCancellationOptionTerminateProcess})
	if err != nil {
		return fmt.Errorf("EMR: %w", err)
	}
	for _, i := range out.CancelStepsInfoList {
		if i.Status == types.CancelStepsRequestStatusFailed {
			if st, err := e.status(ctx, h); err == nil && st.State.Terminal() {
				return nil
			}
			return errors.New("EMR: the step cannot be cancelled: " + aws.ToString(i.Reason))
		}
	}
	return nil
}
