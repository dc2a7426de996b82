-- Containment of bots, by the bot's skill.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), skill_id (of the bot's segment) and type
--          with a conversation that began with a bot; none where no bot is named.
-- Counts:  began with a bot: the first segment is a bot's. contained_count: no person had it, those who gave up in a
--          queue of people too, gave_up_count of them. person_wait looks at those that a person had and whose times are
--          known, person_wait_count of them; so does handover_wait.
-- Units:   shares of bot_count from 0 to 1. Seconds; person_wait counts from the conversation's start, handover_wait
--          from the end of the segment before the person's. Percentiles are interpolated (quantile_cont).
-- Source:  ours, through bot_conversations; containment and hand-over as usual for bots.
-- Twins:   local_date, local_week, local_month, all_dates

select
    account_id,
    date,
    skill_id,
    any_value(skill_name) as skill_name,
    type,
    count(*) as bot_count,  -- Conversations that began with a bot.
    count(*) filter (where not reached_person) as contained_count,  -- Conversations that no person had.
    contained_count / count(*) as containment_share,  -- contained_count / bot_count.
    count(*) filter (where reached_person) as handover_count,  -- Conversations that a person had, after the bot.
    handover_count / count(*) as handover_share,  -- handover_count / bot_count: 1 - containment_share.
    count(*) filter (where gave_up)
        as gave_up_count,  -- Conversations of contained_count whose visitor left a queue of people.
    gave_up_count / count(*) as gave_up_share,  -- gave_up_count / bot_count.
    count(person_wait_milliseconds)
        as person_wait_count,  -- Conversations with a known time from the conversation's start to the first person.
    coalesce(sum(person_wait_milliseconds), 0) / 1000
        as person_wait_sum_seconds,  -- Sum of the times from the conversation's start to the first person.
    avg(person_wait_milliseconds) / 1000
        as person_wait_avg_seconds,  -- Mean of the person_wait_count times from start to the first person.
    quantile_cont(person_wait_milliseconds, 0.5) / 1000
        as person_wait_p50_seconds,  -- Median of the person_wait_count times from start to the first person.
    quantile_cont(person_wait_milliseconds, 0.9) / 1000
        as person_wait_p90_seconds,  -- Time to the first person that 90 % of person_wait_count did not exceed.
    count(handover_wait_milliseconds)
        as handover_wait_count,  -- Conversations with a known time from the bot's end to the first person.
    coalesce(sum(handover_wait_milliseconds), 0) / 1000
        as handover_wait_sum_seconds,  -- Sum of the times from the bot's end to the first person.
    avg(handover_wait_milliseconds) / 1000
        as handover_wait_avg_seconds,  -- Mean of the handover_wait_count times from the bot's end to the first person.
    quantile_cont(handover_wait_milliseconds, 0.5) / 1000
        as handover_wait_p50_seconds,  -- Median of the handover_wait_count times from the bot's end on.
    quantile_cont(handover_wait_milliseconds, 0.9) / 1000
        as handover_wait_p90_seconds  -- Time from the bot's end that 90 % of handover_wait_count did not exceed.
from bot_conversations
group by account_id, date, skill_id, type
