package emr

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless/types"
	"github.com/aws/smithy-go"
)

// serverlessIceberg is where the releases of EMR Serverless have Iceberg (EMR Serverless User Guide, "Using Apache Iceberg").
var serverlessIceberg = []string{"/usr/share/aws/iceberg/lib/iceberg-spark3-runtime.jar"}

type serverless struct {
	c   Config
	api *emrserverless.Client
}

func openServerless(ctx context.Context, c Config) (service, error) {
	cfg, err := settings(ctx, c)
	if err != nil {
		return nil, err
	}
	if c.Jars == nil {
		c.Jars = serverlessIceberg
	}
	return &serverless{c, emrserverless.NewFromConfig(cfg)}, nil
}

// again: the client token makes it harmless.
func (*serverless) again() bool { return true }

func (e *serverless) input(s Submission) *emrserverless.StartJobRunInput {
	in := &emrserverless.StartJobRunInput{
		ApplicationId: aws.String(e.c.Serverless.Application), ClientToken: aws.String(s.Token), ExecutionRoleArn: aws.String(e.c.Serverless.Role),
		Name: aws.String(s.name()), Tags: map[string]string{"weir:run": s.Token},
		JobDriver: &types.JobDriverMemberSparkSubmit{Value: types.SparkSubmit{
			EntryPoint: aws.String(s.Script), EntryPointArguments: s.Args, SparkSubmitParameters: aws.String(quoted(parameters(e.c, s, e.c.Jars))),
		}},
		RetryPolicy: &types.RetryPolicy{MaxAttempts: aws.Int32(int32(e.c.Serverless.Retries) + 1)},
	}
	if s.Timeout > 0 {
		in.ExecutionTimeoutMinutes = aws.Int64(int64(math.Ceil(s.Timeout.Minutes())))
	}
	return in
}

func (e *serverless) request(s Submission) any { return e.input(s) }

func (e *serverless) start(ctx context.Context, s Submission) (Handle, error) {
	out, err := e.api.StartJobRun(ctx, e.input(s), func(o *emrserverless.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return Handle{}, fmt.Errorf("EMR Serverless: %w", err)
	}
	return Handle{In: aws.ToString(out.ApplicationId), ID: aws.ToString(out.JobRunId)}, nil
}

func (e *serverless) find(ctx context.Context, s Submission, since time.Time) (Handle, bool, error) {
	pages := emrserverless.NewListJobRunsPaginator(e.api, &emrserverless.ListJobRunsInput{
		ApplicationId: aws.String(e.c.Serverless.Application), CreatedAtAfter: aws.Time(since.Add(-clockSkew)),
	})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if none := smithy.APIError(nil); errors.As(err, &none) && none.ErrorCode() == "ResourceNotFoundException" { // start says what is missing
			return Handle{}, false, nil
		}
		if err != nil {
			return Handle{}, false, fmt.Errorf("EMR Serverless: %w", err)
		}
		for _, r := range p.JobRuns {
			if aws.ToString(r.Name) == s.name() {
				return Handle{In: e.c.Serverless.Application, ID: aws.ToString(r.Id)}, true, nil
			}
		}
	}
	return Handle{}, false, nil
}

// clockSkew is how much our clock and Amazon's may differ.
const clockSkew = 10 * time.Minute

func (e *serverless) status(ctx context.Context, h Handle) (Status, error) {
	out, err := e.api.GetJobRun(ctx, &emrserverless.GetJobRunInput{ApplicationId: &h.In, JobRunId: &h.ID})
	if err != nil {
		return Status{}, fmt.Errorf("EMR Serverless: %w", err)
	}
	st := Status{State: Waiting, Detail: aws.ToString(out.JobRun.StateDetails)}
	switch out.JobRun.State {
	case types.JobRunStateRunning, types.JobRunStateCancelling:
		st.State = Running
	case types.JobRunStateSuccess:
		st.State = Succeeded
	case types.JobRunStateFailed:
		st.State = Failed
	case types.JobRunStateCancelled:
		st.State = Cancelled
	}
	return st, nil
}

func (e *serverless) cancel(ctx context.Context, h Handle) error {
	_, err := e.api.CancelJobRun(ctx, &emrserverless.CancelJobRunInput{ApplicationId: &h.In, JobRunId: &h.ID})
	if ended := (*types.ValidationException)(nil); errors.As(err, &ended) { // it has ended
		return nil
	}
	if err != nil {
		return fmt.Errorf("EMR Serverless: %w", err)
	}
	return nil
}
