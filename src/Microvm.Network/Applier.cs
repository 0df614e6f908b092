using Microvm.Linux;

namespace Microvm.Network;

/// <summary>Carries out a plan, all of it or nothing: a failure undoes what was done, last first.</summary>
public sealed class Applier(RouteSocket route)
{
    /// <exception cref="LinuxException">The kernel refused a step; the host is as it was.</exception>
    public void Apply(Plan plan)
    {
        var undo = new Stack<Action>();
        try
        {
            foreach (var step in plan.Steps)
            {
                Apply(step, undo);
            }
        }
        catch
        {
            while (undo.TryPop(out var back))
            {
                try
                {
                    back();
                }
                catch (LinuxException)
                {
                    // The rest must still be undone; the first failure is the one to report.
                }
            }
            throw;
        }
    }

    // Each way back is noted before its step: a step whose answer got lost may have been carried out all the same. A way back
    // that was not needed changes nothing.
    private void Apply(Step step, Stack<Action> undo)
    {
        switch (step.Kind)
        {
            case StepKind.Create:
                Create(step, undo);
                break;
            case StepKind.Replace:
                Delete(step.Observed!, undo);
                Create(step, undo);
                break;
            case StepKind.Delete:
                Delete(step.Observed!, undo);
                break;
            case StepKind.Change:
                Change(step, undo);
                break;
        }
    }

    private void Create(Step step, Stack<Action> undo)
    {
        var want = step.Desired!;
        var made = Make(want.Name, want.MultiQueue, want.Owner, want.Group, want.Alias, step.LinkGroup, step.Master, up: true);
        undo.Push(() => route.Delete(made));
    }

    private Link Make(string name, bool multiQueue, uint? owner, uint? group, string? alias, uint linkGroup, int master, bool up)
    {
        // Only the last step makes the tap persist: until then the kernel deletes it with our descriptor, however we end.
        using var tap = TunDevice.Create(name, multiQueue, owner, group);
        var link = route.Find(name);
        route.Mark(link, alias ?? "", linkGroup);
        route.SetNoQueue(link);
        if (master != 0)
        {
            route.SetMaster(link, master);
        }
        if (up)
        {
            route.SetUp(link, true);
        }
        tap.Persist();
        return link;
    }

    private void Delete(Link link, Stack<Action> undo)
    {
        if (link.Tun is { } t)
        {
            undo.Push(() => Make(link.Name, t.MultiQueue, t.Owner, t.Group, link.Alias, link.Group, link.Master ?? 0, link.Up));
        }
        route.Delete(link);
    }

    private void Change(Step step, Stack<Action> undo)
    {
        var link = step.Observed!;
        if (link.Name != step.Name)
        {
            undo.Push(() => route.Rename(link with { Name = step.Name }, link.Name));
            route.Rename(link, step.Name);
        }
        if (link.Group != step.LinkGroup)
        {
            undo.Push(() => route.Mark(link, link.Alias!, link.Group));
            route.Mark(link, step.Desired!.Alias, step.LinkGroup);
        }
        if ((link.Master ?? 0) != step.Master)
        {
            undo.Push(() => route.SetMaster(link, link.Master ?? 0));
            route.SetMaster(link, step.Master);
        }
        if (!link.Up)
        {
            undo.Push(() => route.SetUp(link, false));
            route.SetUp(link, true);
        }
    }
}
