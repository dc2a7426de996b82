-- Conversations with the names of skills and agents, and the settings of the account.
-- Grain:   one row per row of conversation_metrics.
-- Counts:  all conversations. mcs_band is negative below mcs_neutral_from, positive from mcs_positive_from on, neutral
--          between; NULL where the score is not on the account's scale, mcs_scale. So is mcs_bucket. is_bot: a bot had
--          the conversation last; ended_with_bot: and the visitor did not give up in a queue of people after that.
-- Units:   as in conversation_metrics and account_rules; date is the UTC day on which the conversation started.
-- Source:  ours; conversation_metrics, skill_names, agent_names and account_rules.

select
    conversation.account_id,  -- The LivePerson account.
    conversation.conversation_id,
    conversation.date,
    conversation.type,
    conversation.skill_id,  -- The conversation's last skill.
    skill.skill_name,  -- Name of the last skill; NULL: it has none.
    skill.skill_group,  -- Group of the last skill; NULL: it has none.
    conversation.agent_id,  -- The conversation's last agent.
    agent.agent_name,  -- Name of the last agent; NULL: it has none.
    agent.agent_group,  -- Group of the last agent; NULL: it has none.
    coalesce(agent.is_bot, skill.is_bot, false)
        as is_bot,  -- A bot had the conversation last: the last agent by agents.csv, else the last skill by skills.csv.
    case
        when conversation.abandoned_entry_count > 0 then coalesce(skill.is_bot, false)
        else coalesce(agent.is_bot, skill.is_bot, false)
    end as ended_with_bot,  -- True where a bot had the conversation last, and the visitor did not give up in a queue
                            -- of people.
    conversation.campaign_id,
    conversation.source_origin,
    conversation.source_device,
    conversation.is_interactive,
    conversation.mcs,
    conversation.conversation_start_time,
    conversation.conversation_end_time,
    conversation.is_connected,
    conversation.is_abandoned,
    conversation.queue_seconds,
    conversation.transfer_count,
    conversation.transfer_queue_seconds,
    conversation.total_queue_seconds,
    conversation.duration_seconds,
    conversation.chat_seconds,
    conversation.visitor_line_count,
    conversation.agent_line_count,
    conversation.first_response_seconds,
    conversation.first_reply_seconds,
    conversation.response_count,
    conversation.response_avg_seconds,
    conversation.response_max_seconds,
    conversation.person_id,
    conversation.first_skill_id,
    conversation.first_agent_id,
    conversation.segment_count,
    conversation.agent_count,
    conversation.start_reason_id,
    conversation.end_reason_id,
    conversation.queue_entry_count,
    conversation.answered_entry_count,
    conversation.abandoned_entry_count,
    conversation.moved_entry_count,
    conversation.was_interactive,
    conversation.scored_line_count,
    conversation.mcs_first,
    conversation.mcs_last,
    conversation.mcs_last - conversation.mcs_first as mcs_change,  -- mcs_last - mcs_first.
    round(conversation.chat_seconds * 1000)::bigint as chat_milliseconds,  -- From connection to end.
    case
        when not case rules.mcs_scale
            when 'class' then conversation.mcs in (-1, 0, 1)
            when '-100-100' then conversation.mcs between -100 and 100
            else conversation.mcs between 0 and 100
        end then null
        when conversation.mcs < rules.mcs_neutral_from then 'negative'
        when conversation.mcs < rules.mcs_positive_from then 'neutral'
        when conversation.mcs is not null then 'positive'
    end as mcs_band,  -- negative, neutral or positive.
    case
        when mcs_band is null then null
        when rules.mcs_scale = 'class' then conversation.mcs::integer
        else least(floor(floor(conversation.mcs) / 10)::integer * 10, 90)
    end as mcs_bucket,  -- Lower bound of ten points of the score, 90 includes 100; of a class the class.
    rules.time_zone,
    rules.interval_minutes,
    rules.short_abandon_seconds,
    rules.mcs_neutral_from,
    rules.mcs_positive_from,
    rules.repeat_bounds_hours,
    rules.resolution_hours
from conversation_metrics as conversation
join account_rules as rules
    on rules.account_id is not distinct from rules_account(conversation.account_id)
-- Grouped, each id is there once: DuckDB then leaves the join out where no name is asked for.
left join (
    select
        account_id,
        skill_id,
        any_value(skill_name) as skill_name,
        any_value(skill_group) as skill_group,
        any_value(is_bot) as is_bot
    from skill_names
    group by account_id, skill_id
) as skill
    on conversation.account_id = skill.account_id
    and conversation.skill_id = skill.skill_id
left join (
    select
        account_id,
        agent_id,
        any_value(agent_name) as agent_name,
        any_value(agent_group) as agent_group,
        any_value(is_bot) as is_bot
    from agent_names
    group by account_id, agent_id
) as agent
    on conversation.account_id = agent.account_id
    and conversation.agent_id = agent.agent_id
