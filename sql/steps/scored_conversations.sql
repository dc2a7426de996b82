-- Conversations with a Meaningful Connection Score, and its band.
-- Grain:   one row per row of conversations that has a score.
-- Counts:  mcs_band is negative below mcs_neutral_from, positive from mcs_positive_from on, neutral between; NULL where
--          the score is outside 0 to 100.
-- Units:   points of the source's scale.
-- Source:  mcs of Conversation; the bounds are settings, since the vendor publishes none for this scale.

select
    account_id,
    conversation_id,
    date,
    skill_id,
    agent_id,
    mcs,
    case
        when mcs not between 0 and 100 then null
        when mcs < mcs_neutral_from then 'negative'
        when mcs < mcs_positive_from then 'neutral'
        else 'positive'
    end as mcs_band  -- negative, neutral or positive.
from conversation_rules
where mcs is not null
