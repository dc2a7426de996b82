-- The shares that an operation is judged by, one row each, with the interval that the number of cases leaves open.
-- Grain:   one row per account_id, date (UTC), type and measure with at least one case.
-- Counts:  service_level: answered within service_level_seconds, of queue entries of people that were answered or
--          abandoned, short abandons aside. abandoned: of queue entries of people that were answered or abandoned.
--          non_responsive: no person wrote, of connected conversations in which the visitor did, those aside that only
--          bots had. mcs_negative and mcs_positive: of conversations with a score in a band, those that a bot had last
--          aside. contained: no person had it, of those that began with a bot. Resolution is in repeat_contact_daily.
-- Units:   shares from 0 to 1. share_low and share_high are Wilson's interval of 95 %. The day of a queue entry is that
--          of entering, else that of the conversation's start.
-- Source:  ours, through named_entries, named_conversations, named_segments and bot_conversations.
-- Twins:   local_date, local_week, local_month

with entries as (
    select
        account_id,
        date,
        type,
        count(*) filter (where outcome = 'answered') as answered_count,
        count(*) filter (where outcome = 'abandoned') as abandoned_count,
        count(*) filter (where outcome = 'abandoned' and wait_milliseconds < short_abandon_milliseconds) as short_count,
        count(*) filter (where outcome = 'answered' and wait_milliseconds <= service_level_milliseconds) as within_count
    from named_entries
    where not is_bot
    group by account_id, date, type
),

-- Conversations that bots had segments of: only bots had a conversation if all of its segments are theirs.
bots as (
    select
        account_id,
        conversation_id,
        count(*) as segment_count,
        sum(agent_line_count) as line_count
    from named_segments
    where is_bot
    group by account_id, conversation_id
),

talks as (
    select
        conversation.account_id,
        conversation.date,
        conversation.type,
        count(conversation.mcs_band) filter (where not conversation.is_bot) as banded_count,
        count(*) filter (where conversation.mcs_band = 'negative' and not conversation.is_bot) as negative_count,
        count(*) filter (where conversation.mcs_band = 'positive' and not conversation.is_bot) as positive_count,
        count(*) filter (where conversation.is_connected and conversation.visitor_line_count > 0 and not only_bots)
            as wrote_count,
        count(*) filter (
            where conversation.is_connected
            and conversation.visitor_line_count > 0
            and not only_bots
            and conversation.agent_line_count = bot_line_count
        ) as silent_count
    from (
        select
            conversation.*,
            coalesce(bots.segment_count = conversation.segment_count, false) as only_bots,
            coalesce(bots.line_count, 0) as bot_line_count
        from named_conversations as conversation
        left join bots
            on conversation.account_id is not distinct from bots.account_id
            and conversation.conversation_id = bots.conversation_id
    ) as conversation
    group by conversation.account_id, conversation.date, conversation.type
),

counted as (
    select
        account_id, date, type, 'service_level' as measure, within_count as part_count,
        answered_count + abandoned_count - short_count as case_count
    from entries
    union all
    select account_id, date, type, 'abandoned', abandoned_count, answered_count + abandoned_count
    from entries
    union all
    select account_id, date, type, 'non_responsive', silent_count, wrote_count
    from talks
    union all
    select account_id, date, type, 'mcs_negative', negative_count, banded_count
    from talks
    union all
    select account_id, date, type, 'mcs_positive', positive_count, banded_count
    from talks
    union all
    select account_id, date, type, 'contained', count(*) filter (where not reached_person), count(*)
    from bot_conversations
    group by account_id, date, type
),

-- 1.959964 is the normal distribution's bound of 95 %.
shares as (
    select
        *,
        part_count / case_count as share,
        1 + 1.959964 * 1.959964 / case_count as divisor,
        (share + 1.959964 * 1.959964 / (2 * case_count)) / divisor as middle,
        1.959964
        * sqrt(share * (1 - share) / case_count + 1.959964 * 1.959964 / (4 * case_count * case_count)) / divisor
            as half_width
    from counted
    where case_count > 0
)

select
    account_id,  -- The LivePerson account.
    date,  -- UTC day.
    type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    measure,  -- Name of the share.
    part_count,  -- Numerator of the share.
    case_count,  -- Denominator of the share.
    share,  -- part_count / case_count.
    -- At an end of the scale the bound is that end, which the sum meets but for its last digit.
    case when part_count > 0 then greatest(middle - half_width, 0) else 0 end
        as share_low,  -- Lower bound of Wilson's interval of 95 %.
    case when part_count < case_count then least(middle + half_width, 1) else 1 end
        as share_high  -- Upper bound of Wilson's interval of 95 %.
from shares
