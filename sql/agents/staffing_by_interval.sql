-- Inputs of a plan of staff: visitors offered to each skill, and the time of agents that they took, by interval.
-- Grain:   one row per account_id, interval_start, type, skill_id and is_bot in which a visitor entered a queue, or an
--          agent got or had a conversation; a missing skill is a group of its own.
-- Counts:  offered: entries into the skill's queue; answered and abandoned: their outcomes, under the interval of
--          entering. assigned_count and the engaged columns: segments assigned in the interval, with all their length.
--          conversation_seconds, agent_seconds, engaged_agent_count: the time of segments with an agent within the
--          interval. Of an agent with n segments at a moment, of any skill or type, each segment has 1/n of the moment
--          in agent_seconds. So agent_seconds adds up over skills, types and intervals to the time of the agents.
--          engaged_agent_count does not add up: an agent with two skills is in both rows.
-- Units:   seconds. interval_start is the beginning of the interval of interval_minutes minutes, local_start_time the
--          time on the account's clocks then (NULL before 2015 and after 2045).
-- Source:  ours; queue_entries and segments. Time online is not in these files, so there is no occupancy.

with numbered as (
    select
        account_id,
        type,
        skill_id,
        is_bot,
        agent_id,
        interval_minutes,
        row_number() over () as work_number,
        dense_rank() over (order by account_id, agent_id) as agent_number
    from named_segments
    where agent_id is not null and engaged_milliseconds > 0
    group by account_id, type, skill_id, is_bot, agent_id, interval_minutes
),

spans as (
    select
        numbered.work_number,
        numbered.agent_number,
        numbered.interval_minutes * 60_000 as interval_milliseconds,
        epoch_ms(segment.assigned_time) as from_milliseconds,
        -- Ten days bound the work for an end that is an error.
        from_milliseconds + least(segment.engaged_milliseconds, 864_000_000) as until_milliseconds,
        unnest(
            range(
                from_milliseconds // interval_milliseconds * interval_milliseconds,
                until_milliseconds,
                interval_milliseconds
            )
        ) as start_milliseconds
    from named_segments as segment
    join numbered
        on segment.account_id is not distinct from numbered.account_id
        and segment.type is not distinct from numbered.type
        and segment.skill_id is not distinct from numbered.skill_id
        and segment.is_bot = numbered.is_bot
        and segment.agent_id = numbered.agent_id
    where segment.engaged_milliseconds > 0 and epoch_ms(segment.assigned_time) between 0 and 9_999_999_999_999
),

-- Within an interval each segment begins once and ends once. A slot is an interval of an agent: one number for it, and
-- a short one for the moment in it, are put in order faster than three long ones.
changes as (
    select
        work_number,
        agent_number * 100_000_000 + start_milliseconds // interval_milliseconds as slot_number,
        (greatest(from_milliseconds, start_milliseconds) - start_milliseconds)::integer as at_milliseconds,
        1::double as change
    from spans
    union all
    select
        work_number,
        agent_number * 100_000_000 + start_milliseconds // interval_milliseconds as slot_number,
        (least(until_milliseconds, start_milliseconds + interval_milliseconds) - start_milliseconds)::integer
            as at_milliseconds,
        -1::double as change
    from spans
),

-- The time from the change before to each, and the number of the agent's segments in it. Of changes at one time the
-- first one has all of the time, and the count before it; the windows have one order for both.
moments as (
    select
        *,
        at_milliseconds - lag(at_milliseconds) over in_order as moment_milliseconds,
        sum(change) over in_order - change as segment_count
    from changes
    window in_order as (
        partition by slot_number
        order by at_milliseconds
        rows between unbounded preceding and current row
    )
),

-- Shared time up to each change: a segment has the difference between its end and its beginning. Changes at one time
-- have the same, as the frame of a window without rows has it.
elapsed as (
    select
        *,
        coalesce(
            sum(moment_milliseconds / nullif(segment_count, 0)) over (
                partition by slot_number
                order by at_milliseconds
            ),
            0
        ) as elapsed_milliseconds
    from moments
),

agent_intervals as (
    select
        work_number,
        slot_number,
        -sum(change * at_milliseconds) as conversation_milliseconds,
        -sum(change * elapsed_milliseconds) as agent_milliseconds
    from elapsed
    group by work_number, slot_number
),

work as (
    select
        numbered.account_id,
        numbered.type,
        numbered.skill_id,
        numbered.is_bot,
        agent_intervals.slot_number % 100_000_000 * numbered.interval_minutes * 60_000 as start_milliseconds,
        count(*) as engaged_agent_count,
        sum(agent_intervals.conversation_milliseconds) as conversation_milliseconds,
        sum(agent_intervals.agent_milliseconds) as agent_milliseconds
    from agent_intervals
    join numbered on agent_intervals.work_number = numbered.work_number
    group by numbered.account_id, numbered.type, numbered.skill_id, numbered.is_bot, start_milliseconds
    union all by name
    select
        account_id,
        type,
        skill_id,
        is_bot,
        epoch_ms(entered_time) // (interval_minutes * 60_000) * interval_minutes * 60_000 as start_milliseconds,
        count(*) as offered_count,
        count(*) filter (where outcome = 'answered') as answered_count,
        count(*) filter (where outcome = 'abandoned') as abandoned_count
    from named_entries
    where entered_time is not null
    group by account_id, type, skill_id, is_bot, start_milliseconds
    union all by name
    select
        account_id,
        type,
        skill_id,
        is_bot,
        epoch_ms(assigned_time) // (interval_minutes * 60_000) * interval_minutes * 60_000 as start_milliseconds,
        count(*) as assigned_count,
        count(engaged_milliseconds) as engaged_count,
        sum(engaged_milliseconds) as engaged_milliseconds
    from named_segments
    where assigned_time is not null
    group by account_id, type, skill_id, is_bot, start_milliseconds
),

intervals as (
    select
        account_id,
        type,
        skill_id,
        is_bot,
        start_milliseconds,
        coalesce(sum(offered_count), 0)::bigint as offered_count,
        coalesce(sum(answered_count), 0)::bigint as answered_count,
        coalesce(sum(abandoned_count), 0)::bigint as abandoned_count,
        coalesce(sum(assigned_count), 0)::bigint as assigned_count,
        coalesce(sum(engaged_count), 0)::bigint as engaged_count,
        coalesce(sum(engaged_milliseconds), 0) as engaged_milliseconds,
        coalesce(sum(conversation_milliseconds), 0) as conversation_milliseconds,
        coalesce(sum(agent_milliseconds), 0) as agent_milliseconds,
        coalesce(sum(engaged_agent_count), 0)::bigint as engaged_agent_count
    from work
    group by account_id, type, skill_id, is_bot, start_milliseconds
)

select
    intervals.account_id,  -- The LivePerson account.
    make_timestamptz(intervals.start_milliseconds * 1000) as interval_start,  -- Start of the interval.
    make_timestamp((intervals.start_milliseconds + clock.offset_seconds * 1000) * 1000)
        as local_start_time,  -- Start of the interval on the account's clocks.
    intervals.type,
    intervals.skill_id,  -- The skill; NULL: none.
    skill.skill_name,  -- Name of the skill; NULL: it has none.
    skill.skill_group,  -- Group of the skill; NULL: it has none.
    intervals.is_bot,  -- Work of bots, else of people: by agents.csv, else by skills.csv.
    intervals.offered_count,  -- Entries into the queue during the interval.
    intervals.answered_count,  -- Entries that an agent or a bot answered.
    intervals.abandoned_count,  -- Entries in which the visitor gave up.
    intervals.assigned_count,  -- Segments that an agent got during the interval.
    intervals.engaged_count,  -- Segments with a known length.
    intervals.engaged_milliseconds / 1000
        as engaged_sum_seconds,  -- Sum of the times from assignment to end, two at a time counted twice.
    intervals.engaged_milliseconds / nullif(intervals.engaged_count, 0) / 1000
        as engaged_avg_seconds,  -- Mean time from assignment to end: engaged_sum_seconds / engaged_count.
    intervals.conversation_milliseconds / 1000
        as conversation_seconds,  -- Time of segments within the interval, two of an agent at a time counted twice.
    intervals.agent_milliseconds / 1000
        as agent_seconds,  -- Time of agents, each moment shared equally among the segments, of any skill, of the agent.
    intervals.conversation_milliseconds / nullif(intervals.agent_milliseconds, 0)
        as agent_concurrency,  -- conversation_seconds / agent_seconds.
    intervals.engaged_agent_count  -- Agents with a conversation, each once.
from intervals
join account_rules as rules
    on rules.account_id is not distinct from rules_account(intervals.account_id)
left join utc_offsets as clock
    on rules.time_zone = clock.time_zone
    and year(make_timestamp(intervals.start_milliseconds * 1000)) = clock.year
    and intervals.start_milliseconds >= epoch_ms(clock.from_time)
    and intervals.start_milliseconds < epoch_ms(clock.until_time)
left join skill_names as skill
    on intervals.account_id = skill.account_id
    and intervals.skill_id = skill.skill_id
