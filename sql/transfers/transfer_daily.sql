-- Transfers by kind of target, waits after them, and returns.
-- Grain:   one row per account_id and date (UTC, of the conversation's start) with a conversation.
-- Counts:  connected_count: connected conversations, what the rates are of. transfers_per_conversation = transfers /
--          connected; transferred_share = conversations with at least one transfer / connected. Kinds as in
--          transfer_times. returned_count: conversations that went back to a skill or an agent whom they had left, its
--          share is of transferred_count. queued_count: transfers with a queue time, which the queue columns look at.
-- Units:   shares from 0 to 1, NULL where the denominator is 0; seconds; percentiles are interpolated (quantile_cont).
-- Source:  transfers and transfer rate as in Analytics Builder, returns are ours (ping-pong).

with handovers as (
    select
        account_id,
        conversation_id,
        date,
        position,
        transfer_kind,
        queue_milliseconds,
        list(skill_id) over earlier as left_skills,
        list(agent_id) over earlier as left_agents,
        coalesce(list_contains(left_skills, target_skill_id) and target_skill_id is distinct from skill_id, false)
        or coalesce(list_contains(left_agents, target_agent_id) and target_agent_id is distinct from agent_id, false)
            as is_return
    from transfer_times
    window earlier as (
        partition by date, conversation_id, account_id order by position
        rows between unbounded preceding and current row
    )
),

work as (
    select
        account_id,
        date,
        is_connected,
        false as is_transfer,
        null as transfer_kind,
        null as queue_milliseconds,
        null as transferred_id,
        null as returned_id
    from conversation_times
    union all
    select
        account_id,
        date,
        null as is_connected,
        true as is_transfer,
        transfer_kind,
        queue_milliseconds,
        conversation_id as transferred_id,
        case when is_return then conversation_id end as returned_id
    from handovers
)

select
    account_id,
    date,
    count(*) filter (where is_connected) as connected_count,  -- Connected conversations.
    count(*) filter (where is_transfer) as transfer_count,  -- Transfers.
    transfer_count / nullif(connected_count, 0) as transfers_per_conversation,  -- transfer_count / connected_count.
    count(distinct transferred_id) as transferred_count,  -- Conversations with a transfer at least.
    transferred_count / nullif(connected_count, 0) as transferred_share,  -- transferred_count / connected_count.
    count(*) filter (where transfer_kind = 'agent') as to_agent_count,  -- Transfers to an agent.
    count(*) filter (where transfer_kind = 'skill') as to_skill_count,  -- Transfers to another skill.
    count(*) filter (where transfer_kind = 'queue')
        as to_queue_count,  -- Transfers back to the queue of the same skill.
    count(distinct returned_id) as returned_count,  -- Those that went back to a skill or an agent that they had left.
    returned_count / nullif(transferred_count, 0) as returned_share,  -- returned_count / transferred_count.
    count(queue_milliseconds) as queued_count,  -- Transfers with a known wait.
    avg(queue_milliseconds) / 1000 as queue_avg_seconds,  -- Mean wait in the queue of a transfer.
    quantile_cont(queue_milliseconds, 0.5) / 1000 as queue_p50_seconds,  -- Median wait in the queue of a transfer.
    quantile_cont(queue_milliseconds, 0.9) / 1000
        as queue_p90_seconds  -- Wait that 90 % of these transfers did not exceed.
from work
group by account_id, date
