-- Share of conversations with a negative, neutral and positive Meaningful Connection Score, day by day.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type and is_bot with a scored conversation.
-- Counts:  conversations with a score on the account's scale, banded_count of them; scale and bands are settings.
--          is_bot: a bot had the conversation last.
-- Units:   shares of banded_count from 0 to 1, NULL where there is none. mcs_net_score is the mean of 100 for positive,
--          0 for neutral and -100 for negative.
-- Source:  mcs of Conversation, through named_conversations; mcs_net_score on Analytics Builder's scale, of our bands.
-- Twins:   local_date, local_week, local_month

select
    account_id,
    date,
    type,
    is_bot,
    count(mcs_band) as banded_count,  -- Conversations with a score on the account's scale, so in a band.
    count(*) filter (where mcs_band = 'negative')
        as negative_count,  -- Conversations with a score in the negative band.
    negative_count / nullif(banded_count, 0) as negative_share,  -- negative_count / banded_count.
    count(*) filter (where mcs_band = 'neutral') as neutral_count,  -- Conversations with a score in the neutral band.
    neutral_count / nullif(banded_count, 0) as neutral_share,  -- neutral_count / banded_count.
    count(*) filter (where mcs_band = 'positive')
        as positive_count,  -- Conversations with a score in the positive band.
    positive_count / nullif(banded_count, 0) as positive_share,  -- positive_count / banded_count.
    100 * (positive_count - negative_count) / nullif(banded_count, 0)
        as mcs_net_score  -- 100 * (positive_share - negative_share).
from named_conversations
where mcs is not null
group by account_id, date, type, is_bot
