package emr

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/emr"
	"github.com/aws/aws-sdk-go-v2/service/emr/types"
)

// own makes a cluster for each run, which ends with it.
type own struct {
	c   Config
	api *emr.Client
}

func openOwn(ctx context.Context, c Config) (service, error) {
	cfg, err := settings(ctx, c)
	if err != nil {
		return nil, err
	}
	return &own{c, emr.NewFromConfig(cfg)}, nil
}

func (*own) again() bool { return false }

func (e *own) request(s Submission) any { return e.input(s) }

func (e *own) input(s Submission) *emr.RunJobFlowInput {
	c := e.c.Cluster
	if c.Workers == (Bounds{}) {
		c.Workers = Bounds{Min: 1, Max: 10}
	}
	worker := cmp.Or(c.Worker, "r7g.2xlarge")
	limits := &types.ComputeLimits{
		UnitType: types.ComputeLimitsUnitTypeInstances, MinimumCapacityUnits: aws.Int32(int32(c.Workers.Min)), MaximumCapacityUnits: aws.Int32(int32(c.Workers.Max)),
		MaximumCoreCapacityUnits: aws.Int32(int32(c.Workers.Min)), // HDFS stays small: what grows and shrinks are task nodes, which hold no blocks
	}
	if c.MaxOnDemand > 0 {
		limits.MaximumOnDemandCapacityUnits = aws.Int32(int32(c.MaxOnDemand))
	}
	st := step(e.c, s)
	st.ActionOnFailure = types.ActionOnFailureTerminateCluster
	in := &emr.RunJobFlowInput{
		Name: aws.String(s.name()), ReleaseLabel: &c.Release, Applications: []types.Application{{Name: aws.String("Spark")}},
		ServiceRole: aws.String(cmp.Or(c.ServiceRole, "EMR_DefaultRole")), JobFlowRole: aws.String(cmp.Or(c.InstanceRole, "EMR_EC2_DefaultRole")),
		Instances: &types.JobFlowInstancesConfig{
			InstanceGroups: []types.InstanceGroupConfig{
				{Name: aws.String("primary"), InstanceRole: types.InstanceRoleTypeMaster, InstanceType: aws.String(cmp.Or(c.Primary, "m7g.xlarge")), InstanceCount: aws.Int32(1)},
				{Name: aws.String("core"), InstanceRole: types.InstanceRoleTypeCore, InstanceType: aws.String(worker), InstanceCount: aws.Int32(int32(c.Workers.Min))},
			},
			UnhealthyNodeReplacement: aws.Bool(true), KeepJobFlowAliveWhenNoSteps: aws.Bool(false), TerminationProtected: aws.Bool(false),
		},
		ManagedScalingPolicy: &types.ManagedScalingPolicy{ComputeLimits: limits},
		Configurations: []types.Configuration{
			{Classification: aws.String("iceberg-defaults"), Properties: map[string]string{"iceberg.enabled": "true"}},
			{Classification: aws.String("spark-defaults"), Properties: resilience},
		},
		Steps: []types.StepConfig{st}, Tags: []types.Tag{{Key: aws.String("weir:run"), Value: aws.String(s.Token)}},
	}
	if c.Subnet != "" {
		in.Instances.Ec2SubnetId = &c.Subnet
	}
	if c.LogURI != "" {
		in.LogUri = &c.LogURI
	}
	if c.SecurityConfig != "" {
		in.SecurityConfiguration = &c.SecurityConfig
	}
	return in
}

func (e *own) start(ctx context.Context, s Submission) (Handle, error) {
	out, err := e.api.RunJobFlow(ctx, e.input(s), once)
	if err != nil {
		return Handle{}, fmt.Errorf("EMR: %w", err)
	}
	return Handle{In: aws.ToString(out.JobFlowId)}, nil
}

func (e *own) find(ctx context.Context, s Submission, since time.Time) (Handle, bool, error) {
	pages := emr.NewListClustersPaginator(e.api, &emr.ListClustersInput{CreatedAfter: aws.Time(since.Add(-clockSkew))})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil {
			return Handle{}, false, fmt.Errorf("EMR: %w", err)
		}
		for _, c := range p.Clusters {
			if aws.ToString(c.Name) == s.name() {
				return Handle{In: aws.ToString(c.Id)}, true, nil
			}
		}
	}
	return Handle{}, false, nil
}

// status is the step's, or else the cluster's: it may fail before it runs anything.
func (e *own) status(ctx context.Context, h Handle) (Status, error) {
	list, err := e.api.ListSteps(ctx, &emr.ListStepsInput{ClusterId: &h.In})
	if err != nil {
		return Status{}, fmt.Errorf("EMR: %w", err)
	}
	st := Status{State: Waiting}
	if len(list.Steps) > 0 {
		if st = stateOf(list.Steps[len(list.Steps)-1].Status); st.State.Terminal() {
			return st, nil
		}
	}
	out, err := e.api.DescribeCluster(ctx, &emr.DescribeClusterInput{ClusterId: &h.In})
	if err != nil {
		return Status{}, fmt.Errorf("EMR: %w", err)
	}
	s := out.Cluster.Status
	if s.StateChangeReason != nil && st.Detail == "" {
		st.Detail = aws.ToString(s.StateChangeReason.Message)
	}
	switch s.State {
	case types.ClusterStateTerminated:
		st.State = Cancelled
	case types.ClusterStateTerminatedWithErrors:
		st.State = Failed
	case types.ClusterStateStarting, types.ClusterStateBootstrapping:
		st.Detail = "the cluster is " + strings.ToLower(string(s.State))
	}
	return st, nil
}

func (e *own) cancel(ctx context.Context, h Handle) error {
	if _, err := e.api.TerminateJobFlows(ctx, &emr.TerminateJobFlowsInput{JobFlowIds: []string{h.In}}); err != nil {
		return fmt.Errorf("EMR: %w", err)
	}
	return nil
}
